"""The self-test of `pointkd doctor`: small computations with known answers, on the op backend that is in use."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from pointkd.core.errors import StackError
from pointkd.engine.bf16 import WORTH, bf16_gain
from pointkd.io.doctor import Finding
from pointkd.io.dummy import dummy_batch
from pointkd.ops import standin

REPAIR = 'run `make install` in a fresh checkout; if it stays, report it with this line'


def self_test() -> Iterator[Finding]:
    """Yield the op backend, the device and the outcome of each test."""
    tests: dict[str, Callable[[], str]] = {
        'op backend': op_backend,
        'device': device,
        'bf16': bf16,
        'voxelise': voxelise,
        'rotated NMS': rotated_nms,
        'sparse convolution': sparse_convolution,
        'distilled step': distilled_step,
    }
    for name, test in tests.items():
        yield outcome(name, test)


def outcome(name: str, test: Callable[[], str]) -> Finding:
    """Run one test and say how it went."""
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = test()
    except Exception as error:  # whatever breaks here is the finding
        return Finding(name, 'fail', f'{type(error).__name__}: {error}', REPAIR)
    return Finding(name, 'ok', f'{found} in {time.perf_counter() - start:.1f} s' if name not in UNTIMED else found)


UNTIMED = ('op backend', 'device', 'bf16')


def op_backend() -> str:
    """Return which kernels `mmcv.ops` runs on."""
    backend = standin.install()
    return f'{backend} ({"pointkd.ops" if backend == "torch" else "compiled mmcv"})'


def device() -> str:
    """Return where networks will run."""
    if torch.cuda.is_available():
        return f'GPU {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}'
    return f'CPU, {torch.get_num_threads()} threads'


def bf16() -> str:
    """Return whether `--amp` pays on the CPU."""
    gain = bf16_gain()
    return f'a convolution trains {gain:.1f} times as fast as in float32: ' + (
        'use --amp' if gain > WORTH else 'no --amp'
    )


def voxelise() -> str:
    """Put four points into voxels and compare with the result found by hand."""
    from mmcv.ops import Voxelization

    layer = Voxelization([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 4.0, 4.0, 4.0], max_num_points=2, max_voxels=10)
    points = torch.tensor([[0.5, 0.5, 0.5], [3.5, 2.5, 0.5], [0.6, 0.5, 0.5], [9.0, 0.0, 0.0]])
    voxels, coors, counts = layer(points)
    expect('coordinates z, y, x', coors.tolist(), [[0, 0, 0], [0, 2, 3]])
    expect('points a voxel', counts.tolist(), [2, 1])
    expect('sum of the points', round(float(voxels.sum()), 3), 9.6)
    return '4 points into 2 voxels'


def rotated_nms() -> str:
    """Suppress one of three boxes: it lies on a better one, turned by 10 degrees."""
    from mmcv.ops import nms_rotated

    boxes = torch.tensor([[0.0, 0.0, 4.0, 2.0, 0.0], [0.0, 0.0, 4.0, 2.0, 0.1745], [9.0, 0.0, 4.0, 2.0, 0.0]])
    _, keep = nms_rotated(boxes, torch.tensor([0.8, 0.9, 0.7]), 0.5)
    expect('boxes kept', keep.tolist(), [1, 2])
    return '3 boxes, 2 kept'


def sparse_convolution() -> str:
    """Compare a sparse convolution, and its gradient, with a dense one on a filled grid."""
    import spconv.pytorch as spconv

    dense = torch.randn(1, 3, 4, 4, 4, requires_grad=True)
    layer = spconv.SparseConv3d(3, 5, 3, stride=2, padding=1, bias=False)
    index = torch.nonzero(torch.ones(1, 4, 4, 4)).int().contiguous()  # spconv reads memory, not strides
    rows = dense.permute(0, 2, 3, 4, 1).reshape(-1, 3)
    output = layer(spconv.SparseConvTensor(rows, index, [4, 4, 4], 1)).dense()
    expected = nn.functional.conv3d(dense, layer.weight.permute(0, 4, 1, 2, 3), stride=2, padding=1)
    ours, theirs = (torch.autograd.grad(result.square().sum(), dense)[0] for result in (output, expected))
    expect_close('output', output, expected)
    expect_close('gradient', ours, theirs)
    return 'output and gradient as the dense one'


def distilled_step() -> str:
    """Take one training step of a tiny student with a tiny teacher of random weights."""
    from pointkd.distill.distiller import Distiller
    from pointkd.io.build import build_model
    from pointkd.io.checkpoints import save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        config, weights = Path(folder, 'teacher.py'), Path(folder, 'teacher.pth')
        teacher, student = (Config({'model': tiny_model(width)}) for width in (8, 4))
        teacher.dump(config)
        save_checkpoint(weights, {'state_dict': build_model(teacher).state_dict()})
        method = {'type': 'LocalGraph', 'student': 'voxel_encoder', 'samples': 16, 'neighbors': 4}
        block = {'teacher': {'config': str(config), 'checkpoint': str(weights)}, 'methods': [method]}
        distiller = Distiller(student.model, block)
    distiller.train()
    batch = distiller.data_preprocessor(dummy_batch(student, batch_size=2), True)
    loss, terms = distiller.parse_losses(distiller(**batch, mode='loss'))
    loss.backward()
    silent = [name for name, weight in distiller.named_parameters() if weight.grad is None]
    expect('parameters without gradient', silent, [])
    expect('finite loss', bool(torch.isfinite(loss)), True)
    return f'loss {float(loss.detach()):.2f}, of it local graphs {float(terms["loss_local_graph"]):.3f}'


def tiny_model(width: int) -> dict[str, Any]:
    """Return the model config of a PointPillars of a few thousand weights."""
    limits, size = [0, -8, -3, 16, 8, 1], [0.5, 0.5, 4]
    assigner = {
        'type': 'Max3DIoUAssigner',
        'iou_calculator': {'type': 'mmdet3d.BboxOverlapsNearest3D'},
        'pos_iou_thr': 0.5,
        'neg_iou_thr': 0.3,
        'min_pos_iou': 0.3,
        'ignore_iof_thr': -1,
    }
    voxel_layer = {'max_num_points': 8, 'point_cloud_range': limits, 'voxel_size': size, 'max_voxels': (1024, 1024)}
    return {
        'type': 'mmdet3d.VoxelNet',
        'data_preprocessor': {'type': 'mmdet3d.Det3DDataPreprocessor', 'voxel': True, 'voxel_layer': voxel_layer},
        'voxel_encoder': {
            'type': 'mmdet3d.PillarFeatureNet',
            'feat_channels': [width],
            'voxel_size': size,
            'point_cloud_range': limits,
        },
        'middle_encoder': {'type': 'mmdet3d.PointPillarsScatter', 'in_channels': width, 'output_shape': [32, 32]},
        'backbone': {
            'type': 'mmdet3d.SECOND',
            'in_channels': width,
            'layer_nums': [1],
            'layer_strides': [2],
            'out_channels': [width],
        },
        'neck': {'type': 'mmdet3d.SECONDFPN', 'in_channels': [width], 'upsample_strides': [1], 'out_channels': [width]},
        'bbox_head': {
            'type': 'mmdet3d.Anchor3DHead',
            'num_classes': 1,
            'in_channels': width,
            'feat_channels': width,
            'use_direction_classifier': True,
            'anchor_generator': {
                'type': 'mmdet3d.AlignedAnchor3DRangeGenerator',
                'ranges': [[0, -8, -1.78, 16, 8, -1.78]],
                'sizes': [[3.9, 1.6, 1.56]],
                'rotations': [0, 1.57],
                'reshape_out': False,
            },
            'diff_rad_by_sin': True,
            'loss_cls': {'type': 'mmdet.FocalLoss', 'use_sigmoid': True},
        },
        'train_cfg': {'assigner': assigner, 'allowed_border': 0, 'pos_weight': -1, 'debug': False},
        'test_cfg': {'use_rotate_nms': True, 'nms_thr': 0.01, 'score_thr': 0.1, 'nms_pre': 100, 'max_num': 50},
    }


def expect(what: str, found: object, expected: object) -> None:
    """Raise when a result is not the one known."""
    if found != expected:
        raise StackError(f'{what}: expected {expected}, got {found}')


def expect_close(what: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Raise when a tensor differs from the one known by more than rounding."""
    difference = float((found - expected).abs().max())
    if not difference < 1e-4:
        raise StackError(f'{what}: differs from the dense result by {difference:.1e}')
