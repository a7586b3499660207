"""The real-points pillar encoder against the stock one, a slow net, and itself on shuffled input."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.configs import CONFIGS
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet3d.registry import MODELS
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor, nn

from pointkd.core.errors import ConfigError
from pointkd.io.config import load_config
from pointkd.models.pillars import RealPointsPillarFeatureNet
from pointkd.models.pillars.encoder import PillarFeatureNet

ROOM = 6
GEOMETRY = {'voxel_size': (0.5, 0.25, 4), 'point_cloud_range': (0, -4, -3, 8, 4, 1)}
LAYOUTS = [
    {'with_distance': distance, 'with_cluster_center': cluster, 'with_voxel_center': centre, 'legacy': legacy}
    for distance in (False, True)
    for cluster, centre in ((True, True), (False, True), (True, False), (False, False))
    for legacy in (True, False)
]


def make_pillars(counts: list[int], seed: int = 0, room: int = ROOM) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded points (P, room, 4), counts (P,) and coordinates (P, 4) as voxelisation gives them."""
    generator = torch.Generator().manual_seed(seed)
    number = len(counts)
    num_points = torch.tensor(counts, dtype=torch.int32)
    coors = torch.stack([torch.randint(0, high, (number,), generator=generator) for high in (2, 1, 32, 16)], 1)
    first = torch.tensor([0.0, -4.0, -3.0, 0.0])
    size = torch.tensor([0.5, 0.25, 4.0, 1.0])
    cells = torch.cat([coors[:, [3, 2, 1]], torch.zeros(number, 1)], 1)
    points = first + (cells.unsqueeze(1) + torch.rand(number, room, 4, generator=generator)) * size
    filled = torch.arange(room) < num_points.unsqueeze(1)
    return points * filled.unsqueeze(2), num_points, coors.int()


def make_pair(seed: int = 0, **options: object) -> tuple[RealPointsPillarFeatureNet, PillarFeatureNet]:
    """Return our net and the stock one with the same random weights and running statistics, in evaluation mode."""
    arguments = {'feat_channels': (8,), **GEOMETRY, **options}
    stock, ours = PillarFeatureNet(**arguments), RealPointsPillarFeatureNet(**arguments)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in stock.state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(generator=generator)
            if name.endswith('running_var'):
                tensor.square_().add_(0.1)
    ours.load_state_dict(stock.state_dict(), strict=True)
    return ours.eval(), stock.eval()


def slow_training_step(net: RealPointsPillarFeatureNet, features: Tensor, num_points: Tensor, coors: Tensor) -> Tensor:
    """Return a one-layer net's output in training mode, pillar by pillar, with torch's own batch norm on the points."""
    rows = []
    for points, count, (_, z, y, x) in zip(features, num_points.tolist(), coors.tolist(), strict=True):
        xyz = points[:count, :3]
        centre = torch.stack(
            [(cell + 0.5) * size for cell, size in zip((x, y, z), net_size(net, features), strict=True)]
        )
        offset = xyz - centre - features.new_tensor(net.point_cloud_range[:3])
        rows.append(torch.cat([offset, points[:count, 3:], xyz - xyz.mean(0), offset], 1))
    layer = net.pfn_layers[0]
    raw = layer.linear(torch.cat(rows))
    normalised = layer.norm(raw)
    deviation = (raw.var(0, unbiased=False) + layer.norm.eps).sqrt()
    empty = layer.norm.bias - layer.norm.weight * raw.mean(0) / deviation
    pooled = []
    for part, count in zip(normalised.split(num_points.tolist()), num_points.tolist(), strict=True):
        places = part if count == features.shape[1] else torch.cat([part, empty.unsqueeze(0)])
        pooled.append(places.relu().max(0).values)
    return torch.stack(pooled)


def net_size(net: PillarFeatureNet, like: Tensor) -> Tensor:
    """Return a pillar's size x, y, z."""
    return like.new_tensor([net.vx, net.vy, net.vz])


def gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    """Return the gradients of a loss by the net's parameters."""
    return list(torch.autograd.grad(loss, list(net.parameters())))


@pytest.mark.parametrize('channels', [(8,), (12, 8), (12, 10, 8)])
@pytest.mark.parametrize('mode', ['max', 'avg'])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_equals_the_stock_net_in_evaluation(layout: dict, mode: str, channels: tuple[int, ...]) -> None:
    ours, stock = make_pair(feat_channels=channels, mode=mode, **layout)
    ours.double(), stock.double()
    features, num_points, coors = make_pillars([1, 6, 3, 1, 2, 5, 1, 1])
    features = features.double()
    expected = stock(features.clone(), num_points, coors)
    torch.testing.assert_close(ours(features, num_points, coors), expected, rtol=1e-10, atol=1e-10)


def test_equals_the_stock_net_in_single_precision() -> None:
    ours, stock = make_pair(feat_channels=(32,))
    features, num_points, coors = make_pillars([1, 6, 3, 1, 2, 5, 1, 1] * 20)
    expected = stock(features.clone(), num_points, coors)
    torch.testing.assert_close(ours(features, num_points, coors), expected, rtol=1e-5, atol=1e-5)


def test_gives_the_reference_values_of_a_whole_scan(golden: Path) -> None:
    reference = np.load(golden / 'models' / 'pointpillars.npz')
    cloud = torch.from_numpy(np.load(golden / 'models' / 'cloud.npz')['points'])
    block = load_config(CONFIGS / 'pointpillars' / 'pointpillars_kitti-3class.py').model
    preprocessor = MODELS.build({**block.data_preprocessor, '_scope_': 'mmdet3d'})  # whatever scope is the default
    voxels = preprocessor({'inputs': {'points': [cloud]}})['inputs']['voxels']
    ours = MODELS.build({**block.voxel_encoder, 'type': 'RealPointsPillarFeatureNet', '_scope_': 'mmdet3d'}).eval()
    for name, tensor in ours.state_dict().items():
        random = np.random.RandomState(zlib.crc32(f'voxel_encoder.{name}'.encode()))
        noise = torch.from_numpy(random.standard_normal(tensor.numel()).reshape(tuple(tensor.shape)))
        if name.endswith('running_var'):
            tensor.copy_(torch.exp(0.3 * noise))
        elif name.endswith(('running_mean', 'bias')):
            tensor.copy_(0.1 * noise)
        elif tensor.ndim == 2:
            tensor.copy_(noise * (2 / tensor.shape[1]) ** 0.5)
        elif tensor.is_floating_point():
            tensor.copy_(1 + 0.1 * noise)
    result = ours(voxels['voxels'], voxels['num_points'], voxels['coors']).detach()
    sums = torch.from_numpy(reference['voxel_encoder.channel_sum'])
    torch.testing.assert_close(result.sum(0).double(), sums.double(), rtol=1e-5, atol=0)
    samples = result.flatten()[torch.from_numpy(reference['voxel_encoder.sample_index'])]
    expected = torch.from_numpy(reference['voxel_encoder.sample_value'])
    torch.testing.assert_close(samples, expected.to(samples), rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_an_empty_place_takes_part_in_the_maximum() -> None:
    ours, _ = make_pair()
    for tensor in (ours.pfn_layers[0].linear.weight, ours.pfn_layers[0].norm.running_mean):
        tensor.detach().zero_()
    ours.pfn_layers[0].linear.weight.detach()[:, 3] = -1  # only the intensity counts, and lowers the output
    ours.pfn_layers[0].norm.weight.detach().fill_(1)
    ours.pfn_layers[0].norm.bias.detach().fill_(5)
    features, num_points, coors = make_pillars([1, ROOM])
    features[..., 3] = 1.0
    partly, full = ours(features, num_points, coors)
    torch.testing.assert_close(partly, torch.full((8,), 5.0))
    assert (full < 5.0).all()


def test_input_is_left_as_it_was_and_padding_is_not_read() -> None:
    ours, _ = make_pair()
    features, num_points, coors = make_pillars([2, 4, 6])
    expected = ours(features, num_points, coors)
    dirty = torch.where(torch.arange(ROOM).unsqueeze(1) < num_points.view(-1, 1, 1), features, torch.nan)
    before = dirty.clone()
    torch.testing.assert_close(ours(dirty, num_points, coors), expected, rtol=0, atol=0)
    torch.testing.assert_close(dirty, before, rtol=0, atol=0, equal_nan=True)


def test_training_step_equals_a_slow_one() -> None:
    ours, _ = make_pair()
    slow, _ = make_pair()
    ours.double().train(), slow.double().train()
    features, num_points, coors = make_pillars([1, 6, 3, 2, 5, 1])
    features = features.double()
    result, expected = ours(features, num_points, coors), slow_training_step(slow, features, num_points, coors)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-9)
    weights = torch.randn(result.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for ours_gradient, slow_gradient in zip(
        gradients(ours, (result * weights).sum()), gradients(slow, (expected * weights).sum()), strict=True
    ):
        torch.testing.assert_close(ours_gradient, slow_gradient, rtol=1e-8, atol=1e-9)
    for name, value in slow.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('mode', ['max', 'avg'])
def test_gradients_are_right(mode: str, training: bool) -> None:
    ours, _ = make_pair(feat_channels=(6, 4), mode=mode)
    ours.double().train(training)
    ours.pfn_layers[0].norm.momentum = ours.pfn_layers[1].norm.momentum = 0.0  # the same function at each call
    features, num_points, coors = make_pillars([1, 6, 3])
    points = features.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: ours(values, num_points, coors), points)


def test_training_and_evaluation_agree_on_the_same_statistics() -> None:
    ours, _ = make_pair(feat_channels=(12, 8))
    for layer in ours.pfn_layers:
        layer.norm.momentum = 1.0
    features, num_points, coors = make_pillars([1, 6, 3, 2, 5, 1] * 50)
    trained = ours.train()(features, num_points, coors)
    torch.testing.assert_close(ours.eval()(features, num_points, coors), trained, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('training', [True, False])
def test_no_pillar_gives_no_row_and_zero_gradients(training: bool) -> None:
    ours, _ = make_pair(feat_channels=(12, 8))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    result = ours.train(training)(torch.zeros(0, ROOM, 4), torch.zeros(0), torch.zeros(0, 4))
    assert result.shape == (0, 8)
    assert all(not gradient.any() for gradient in gradients(ours, result.sum()))
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_single_point_trains_with_the_running_statistics() -> None:
    ours, stock = make_pair()
    pillar = make_pillars([1])
    torch.testing.assert_close(ours.train()(*pillar), stock(pillar[0].clone(), *pillar[1:]), rtol=1e-5, atol=1e-5)
    assert ours.pfn_layers[0].norm.num_batches_tracked == 0


def test_a_pillar_without_points_is_finite() -> None:
    ours, _ = make_pair()
    features, num_points, coors = make_pillars([0, 3])
    assert torch.isfinite(ours(features, num_points, coors)).all()


@given(counts=st.lists(st.integers(1, ROOM), min_size=1, max_size=12), seed=st.integers(0, 99), training=st.booleans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_order_of_pillars_and_points_does_not_matter(counts: list[int], seed: int, training: bool) -> None:
    ours, _ = make_pair(feat_channels=(12, 8))
    ours.double().train(training)
    features, num_points, coors = make_pillars(counts, seed)
    features = features.double()
    generator = np.random.default_rng(seed)
    order = torch.from_numpy(generator.permutation(len(counts)))
    shuffled = features.clone()
    for pillar, count in enumerate(counts):
        shuffled[pillar, :count] = features[pillar, torch.from_numpy(generator.permutation(count))]
    expected = ours(features, num_points, coors)[order]
    torch.testing.assert_close(ours(shuffled[order], num_points[order], coors[order]), expected, rtol=1e-7, atol=1e-7)


def test_more_room_changes_training_only_where_a_pillar_was_full() -> None:
    ours, _ = make_pair()
    features, num_points, coors = make_pillars([1, 3, 2])
    wider = torch.cat([features, torch.zeros(3, 10, 4)], 1)
    result = ours.train()(features, num_points, coors)
    torch.testing.assert_close(ours(wider, num_points, coors), result)


def test_autocast_keeps_the_precision_of_the_weights() -> None:
    ours, _ = make_pair()
    pillars = make_pillars([1, 3, 2])
    expected = ours(*pillars)
    with torch.autocast('cpu', torch.bfloat16):
        result = ours(*pillars)
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.parametrize('options', [{}, {'feat_channels': (12, 8)}, {'mode': 'avg', 'legacy': False}])
def test_exports_to_onnx_with_any_number_of_pillars(options: dict) -> None:
    ours, _ = make_pair(**options)
    file = io.BytesIO()
    names = ['features', 'num_points', 'coors']
    torch.onnx.export(
        ours,
        make_pillars([1, 6, 3]),
        file,
        input_names=names,
        output_names=['pillars'],
        dynamic_axes={name: {0: 'P'} for name in (*names, 'pillars')},
        opset_version=17,
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(file.getvalue(), providers=['CPUExecutionProvider'])
    pillars = make_pillars([1, 6, 2, 4, 1], seed=3)
    feed = {name: tensor.numpy() for name, tensor in zip(names, pillars, strict=True)}
    (result,) = session.run(None, {item.name: feed[item.name] for item in session.get_inputs()})
    torch.testing.assert_close(torch.from_numpy(result), ours(*pillars).detach(), rtol=1e-5, atol=1e-5)


def test_another_norm_is_an_error_that_says_what_to_do() -> None:
    ours = RealPointsPillarFeatureNet(norm_cfg={'type': 'LN'}, **GEOMETRY)
    with pytest.raises(ConfigError, match=r'BN1d.*got LayerNorm'):
        ours(*make_pillars([2]))


def test_registered_for_configs_of_mmdet3d_and_mmengine() -> None:
    block = {'type': 'RealPointsPillarFeatureNet', 'feat_channels': [4]}
    assert isinstance(MODELS.build(block), RealPointsPillarFeatureNet)
    assert isinstance(MMENGINE_MODELS.build(block), RealPointsPillarFeatureNet)
