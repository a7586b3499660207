"""Reads every constant that a runtime needs from a built detector and its config."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from mmengine.config import Config
from torch import nn

import pointkd
from pointkd.core.errors import ConfigError, ExportError
from pointkd.runtime.anchors import Anchors
from pointkd.runtime.decode import DecodeSettings
from pointkd.runtime.voxelize import Voxelizer

PACKAGES = ('torch', 'onnx', 'onnxruntime', 'mmengine', 'mmdet3d')


def class_names(config: Config) -> tuple[str, ...]:
    """Return the class names of a config, in the order of the labels.

    Raises:
        ConfigError: the config names none.
    """
    places = [config.get('metainfo'), *(_dataset(config, key).get('metainfo') for key in ('test', 'val', 'train'))]
    for metainfo in places:
        names = (metainfo or {}).get('classes') or (metainfo or {}).get('CLASSES')
        if names:
            return tuple(names)
    if config.get('class_names'):
        return tuple(config.class_names)
    raise ConfigError(f'{config.filename}: no class names; set metainfo=dict(classes=[...])')


def point_columns(config: Config) -> tuple[int, list[int]]:
    """Return how many numbers a point has in a file, and which of them the network takes.

    The first `LoadPointsFromFile` of the test pipeline says it; 4 and all of them where there is none.
    """
    pipeline = config.get('test_pipeline') or _dataset(config, 'test').get('pipeline') or []
    for step in pipeline:
        if step.get('type') == 'LoadPointsFromFile':
            load = int(step.get('load_dim', 6))
            use = step.get('use_dim', [0, 1, 2])
            return load, list(range(use)) if isinstance(use, int) else [int(column) for column in use]
    return 4, [0, 1, 2, 3]


def describe_voxels(model: nn.Module) -> Voxelizer:
    """Return the voxelisation that a detector does in evaluation mode."""
    layer, encoder = model.data_preprocessor.voxel_layer, model.voxel_encoder
    decoration = 3 * encoder._with_cluster_center + 3 * encoder._with_voxel_center + encoder._with_distance
    size = [float(value) for value in layer.voxel_size]
    extent = [float(value) for value in layer.point_cloud_range]
    voxels = Voxelizer(
        voxel_size=(size[0], size[1], size[2]),
        point_cloud_range=(extent[0], extent[1], extent[2], extent[3], extent[4], extent[5]),
        max_points=int(layer.max_num_points),
        max_pillars=int(layer.max_voxels[1]),
        columns=int(encoder.in_channels - decoration),
    )
    canvas = (model.middle_encoder.nx, model.middle_encoder.ny)
    if voxels.grid[:2] != canvas:
        raise ConfigError(f'the voxel grid is {voxels.grid[:2]} (x, y), middle_encoder.output_shape says {canvas}')
    return voxels


def describe_anchors(head: nn.Module, height: int, width: int) -> Anchors:
    """Return the anchors of a head on a map, checked against the head's own.

    Raises:
        ExportError: they differ.
    """
    generator = head.prior_generator
    aligned = hasattr(generator, 'align_corner')
    placement = ('corner' if generator.align_corner else 'centre') if aligned else 'spread'
    scale = generator.scales[0]
    anchors = Anchors(
        height=height,
        width=width,
        ranges=tuple(tuple(float(value) for value in entry) for entry in generator.ranges),
        sizes=tuple(tuple(float(value) * scale for value in size) for size in np.reshape(generator.sizes, (-1, 3))),
        rotations=tuple(float(value) for value in generator.rotations),
        placement=placement,
        extra=int(head.box_code_size) - 7,
    )
    own = generator.grid_anchors([(height, width)], device='cpu')[0].reshape(-1, head.box_code_size).numpy()
    described = anchors.all().reshape(-1, head.box_code_size)
    if described.shape != own.shape or np.abs(described - own).max() > 1e-4:
        raise ExportError('bbox_head.anchor_generator gives other anchors than its settings say; it has been changed')
    return anchors


def describe_decoding(head: nn.Module) -> DecodeSettings:
    """Return how a head chooses its boxes in evaluation mode.

    Raises:
        ConfigError: the model has no test_cfg.
    """
    test = head.test_cfg
    if not test or 'nms_thr' not in test:
        raise ConfigError('model.test_cfg must hold nms_thr, score_thr and max_num')
    return DecodeSettings(
        score_threshold=float(test.get('score_thr', 0)),
        max_candidates=max(0, int(test.get('nms_pre', -1))),
        max_boxes=int(test.max_num),
        nms_threshold=float(test.nms_thr),
        nms_rotated=bool(test.use_rotate_nms),
        direction_offset=float(head.dir_offset),
        direction_limit_offset=float(head.dir_limit_offset),
    )


def versions() -> dict[str, str]:
    """Return the versions that an export depends on."""
    found = {'pointkd': pointkd.__version__, 'python': platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def parameter_count(model: nn.Module) -> int:
    """Return how many numbers of a network are trained."""
    return sum(parameter.numel() for parameter in model.parameters())


def _dataset(config: Config, split: str) -> dict[str, Any]:
    """Return the innermost data set of a split (wrappers such as RepeatDataset opened), {} where there is none."""
    dataset = (config.get(f'{split}_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset
