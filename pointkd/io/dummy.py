"""A tiny made-up batch that fits a config: for dry runs, self-tests and export, without any data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.io.build import model_config, prepare
from pointkd.io.tree import dicts

POINTS = 512  # a sample, unless the network draws a fixed number of them
OBJECTS = 2
IMAGE = (64, 96)  # height, width; padded further by the data preprocessor where the config says so
INDOOR_RANGE = (-2.0, -2.0, 0.0, 2.0, 2.0, 2.0)


def dummy_batch(config: Any, batch_size: int = 1, seed: int = 0) -> dict[str, Any]:
    """Return a raw batch as a data loader would collate it.

    Args:
        config: a whole config, or its `model`; the type of `model.data_preprocessor` decides what the batch holds.
        batch_size: samples.
        seed: of the values; the global random state is left alone.

    Returns:
        `inputs` and `data_samples`, with annotations of the kinds that the losses of the config's task ask for:
        points and 3D boxes (or point labels), images and 2D boxes (with masks where a head asks for them), images and
        label maps.

    Raises:
        ConfigError: the model has no data preprocessor of a known kind.
    """
    prepare()
    model = model_config(config)
    kind = str((model.get('data_preprocessor') or {}).get('type')).rpartition('.')[2]
    makers = {
        'Det3DDataPreprocessor': _points_sample,
        'DetDataPreprocessor': _image_sample,
        'SegDataPreProcessor': _labelled_image_sample,
    }
    if kind not in makers:
        raise ConfigError(f'model.data_preprocessor: no made-up batch for type {kind}; known: {", ".join(makers)}')
    random = np.random.default_rng(seed)
    samples = [makers[kind](config, model, random) for _ in range(batch_size)]
    inputs = [sample[0] for sample in samples]
    collated = {key: [entry[key] for entry in inputs] for key in inputs[0]} if isinstance(inputs[0], dict) else inputs
    return {'inputs': collated, 'data_samples': [sample[1] for sample in samples]}


def point_range(config: Any) -> tuple[float, ...]:
    """Return x, y, z of the lowest and the highest corner (6 numbers, metres) of a config's point clouds."""
    for _, block in dicts(config):
        limits = block.get('point_cloud_range')
        if isinstance(limits, list | tuple) and len(limits) == 6:
            return tuple(float(value) for value in limits)
    return INDOOR_RANGE


def point_width(config: Any, model: Any) -> int:
    """Return the numbers a point of a config has: as its pipeline loads them, else as its first layer takes them."""
    for _, block in dicts(config):
        if str(block.get('type')).startswith('LoadPointsFromFile') and 'use_dim' in block:
            chosen = block['use_dim']
            return chosen if isinstance(chosen, int) else len(chosen)
    for part in ('voxel_encoder', 'pts_voxel_encoder', 'backbone'):
        block = model.get(part) or {}
        width = block.get('in_channels', block.get('num_features'))
        if isinstance(width, int):
            return width
    return 4


def _points_sample(config: Any, model: Any, random: np.random.Generator) -> tuple[dict[str, Tensor], Any]:
    """Return a cloud with objects in it."""
    from mmdet3d.structures import Det3DDataSample

    limits = np.array(point_range(config))
    low, high = limits[:3], limits[3:]
    boxes = _boxes_3d(model, low, high, random)
    wanted = (model.get('backbone') or {}).get('num_points')
    count = max(POINTS, int(max(wanted))) if isinstance(wanted, list | tuple) else POINTS
    xyz = random.uniform(low, high, (count, 3))
    for number, box in enumerate(boxes):  # a share of the points lies inside each object
        inside = random.uniform(-0.45, 0.45, (count // 8, 3)) * box[3:6] + box[:3] + [0, 0, box[5] / 2]
        xyz[number * (count // 8) :][: count // 8] = np.clip(inside, low, high - 1e-3)
    points = np.concatenate([xyz, random.uniform(0, 1, (count, point_width(config, model) - 3))], axis=1)
    sample = Det3DDataSample()
    sample.gt_instances_3d, metainfo = _instances_3d(model, boxes)
    sample.set_metainfo(metainfo)
    if model.get('decode_head'):
        labels = torch.from_numpy(random.integers(0, model['decode_head'].get('num_classes', 2), count))
        sample.gt_pts_seg = _point_labels(labels)
    return {'points': torch.from_numpy(points.astype(np.float32))}, sample


def _boxes_3d(model: Any, low: np.ndarray, high: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return boxes (OBJECTS, 7 or 9): centre of the bottom, size, yaw, velocity where the head codes it."""
    centre = random.uniform(0.6 * low + 0.4 * high, 0.4 * low + 0.6 * high, (OBJECTS, 3))
    size = np.minimum(np.array([3.9, 1.6, 1.5]), (high - low) / 4)
    boxes = np.concatenate([centre, np.tile(size, (OBJECTS, 1)), random.uniform(-3, 3, (OBJECTS, 1))], axis=1)
    return np.concatenate([boxes, np.zeros((OBJECTS, 2))], axis=1) if _code_size(model) >= 9 else boxes


def _code_size(model: Any) -> int:
    """Return the numbers a box of the model's coder has, 7 where it names none."""
    sizes = [block['code_size'] for _, block in dicts(model) if isinstance(block.get('code_size'), int)]
    return max(sizes, default=7)


def _instances_3d(model: Any, boxes: np.ndarray) -> tuple[InstanceData, dict[str, Any]]:
    """Return the annotations of a cloud and its metainfo; indoor nets without voxels have boxes in the depth frame."""
    from mmdet3d.structures import get_box_type

    name = 'LiDAR' if model['data_preprocessor'].get('voxel') or 'RCNN' in str(model['type']) else 'Depth'
    box_type, box_mode = get_box_type(name)
    values = torch.from_numpy(boxes.astype(np.float32))
    instances = InstanceData(
        bboxes_3d=box_type(values, box_dim=values.shape[1]), labels_3d=torch.zeros(len(boxes), dtype=torch.int64)
    )
    return instances, {'box_type_3d': box_type, 'box_mode_3d': box_mode, 'sample_idx': 0, 'pcd_scale_factor': 1.0}


def _point_labels(labels: Tensor) -> Any:
    """Return labels of points as mmdet3d keeps them."""
    from mmdet3d.structures import PointData

    return PointData(pts_semantic_mask=labels)


def _image(random: np.random.Generator) -> Tensor:
    """Return an image (3, H, W) uint8."""
    return torch.from_numpy(random.integers(0, 256, (3, *IMAGE), dtype=np.uint8))


def _image_metainfo() -> dict[str, Any]:
    """Return what pipelines note about an image."""
    return {
        'img_id': 0,
        'img_path': '',
        'ori_shape': IMAGE,
        'img_shape': IMAGE,
        'pad_shape': IMAGE,
        'scale_factor': (1.0, 1.0),
        'flip': False,
        'flip_direction': None,
    }


def _image_sample(config: Any, model: Any, random: np.random.Generator) -> tuple[Tensor, Any]:
    """Return an image with 2D boxes, and masks where the preprocessor pads them."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks

    height, width = IMAGE
    boxes = torch.tensor([[8.0, 8.0, 48.0, 40.0], [50.0, 20.0, 90.0, 60.0]][:OBJECTS])
    sample = DetDataSample(metainfo=_image_metainfo())
    sample.gt_instances = InstanceData(bboxes=HorizontalBoxes(boxes), labels=torch.zeros(len(boxes), dtype=torch.int64))
    preprocessor = model['data_preprocessor']
    if preprocessor.get('pad_mask'):
        masks = np.zeros((len(boxes), height, width), dtype=np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances.masks = BitmapMasks(masks, height, width)
    if preprocessor.get('pad_seg'):
        sample.gt_sem_seg = PixelData(sem_seg=torch.zeros((1, height, width), dtype=torch.int64))
    return _image(random), sample


def _labelled_image_sample(config: Any, model: Any, random: np.random.Generator) -> tuple[Tensor, Any]:
    """Return an image with a label map."""
    from mmseg.structures import SegDataSample

    head = model.get('decode_head') or {}
    head = head[-1] if isinstance(head, list | tuple) else head
    labels = random.integers(0, head.get('num_classes', 2), (1, *IMAGE))
    sample = SegDataSample(metainfo=_image_metainfo())
    sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels))
    return _image(random), sample
