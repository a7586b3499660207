"""Ground truth of the augmented sample, as methods that look at labels need it.

`Context.data_samples` holds the batch's annotations behind augmentation and padding: the very elements that the
student's loss sees (`gt_sem_seg` of segmentors, `gt_instances` and `metainfo` of detectors).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointkd.core.errors import DataError

_NO_LABELS = 'label maps: expected data samples with `gt_sem_seg`, got {}; {}'
_NO_BOXES = 'boxes: expected data samples with `gt_instances` or `gt_instances_3d`, got {}; {}'


def label_maps(data_samples: list[Any] | None, like: Tensor) -> Tensor:
    """Return the label maps of a batch.

    Args:
        data_samples: of the context, one a sample.
        like: a feature of the batch (N, ...); the labels go to its device.

    Returns:
        (N, H, W) int64, at the padded size of the networks' input.

    Raises:
        DataError: no labels, another number of them than of samples, or maps of unequal sizes.
    """
    if data_samples is None:
        raise DataError(_NO_LABELS.format('none', 'this method needs ground truth, use it in training only'))
    if len(data_samples) != len(like):
        raise DataError(
            f'label maps: expected {len(like)}, one a sample of the feature, got {len(data_samples)}; '
            'tap a layer that sees whole samples'
        )
    maps = [_label_map(sample) for sample in data_samples]
    sizes = sorted({tuple(labels.shape) for labels in maps})
    if len(sizes) > 1:
        raise DataError(
            f'label maps: expected equal sizes in a batch, got {", ".join(map(str, sizes))}; '
            'let the data preprocessor pad images and labels (`size` or `size_divisor`)'
        )
    if not maps:
        return torch.zeros((0, 1, 1), dtype=torch.int64, device=like.device)
    return torch.stack(maps).to(like.device, torch.int64)


def _label_map(sample: Any) -> Tensor:
    """Return the labels (H, W) of one data sample; mmseg keeps them as `data`, mmdet as `sem_seg`."""
    pixels = getattr(sample, 'gt_sem_seg', None)
    labels = getattr(pixels, 'data', None) if pixels is not None else None
    if labels is None:
        labels = getattr(pixels, 'sem_seg', None)
    if not isinstance(labels, Tensor):
        hint = 'give the pipeline LoadAnnotations, or use a method that needs no labels'
        raise DataError(_NO_LABELS.format(f'a {type(sample).__name__} without it', hint))
    if labels.ndim == 3 and len(labels) == 1:
        labels = labels[0]
    if labels.ndim != 2:
        raise DataError(f'label maps: expected (1, H, W) or (H, W) labels, got {tuple(labels.shape)}')
    return labels


def box_lists(data_samples: list[Any] | None, like: Tensor) -> list[Tensor]:
    """Return the boxes of each sample, upright rectangles.

    Args:
        data_samples: of the context, one a sample.
        like: a feature of the batch (N, ...); the boxes go to its device.

    Returns:
        N tensors (M, 4) float32 x1, y1, x2, y2: pixels of the padded input for images; metres in the LiDAR frame, the
        bird's-eye rectangle nearest to each box, for clouds.

    Raises:
        DataError: no boxes, or another number of data samples than of samples.
    """
    if data_samples is None:
        raise DataError(_NO_BOXES.format('none', 'this method needs ground truth, use it in training only'))
    if len(data_samples) != len(like):
        raise DataError(
            f'boxes: expected those of {len(like)} samples, got {len(data_samples)}; '
            'tap a layer that sees whole samples'
        )
    return [_boxes(sample).to(like.device, torch.float32) for sample in data_samples]


def _boxes(sample: Any) -> Tensor:
    """Return the rectangles (M, 4) of one data sample of mmdet or mmdet3d."""
    instances = getattr(sample, 'gt_instances', None)
    boxes = getattr(instances, 'bboxes', None) if instances is not None else None
    if boxes is None:
        instances = getattr(sample, 'gt_instances_3d', None)
        boxes = getattr(getattr(instances, 'bboxes_3d', None), 'nearest_bev', None)
    boxes = getattr(boxes, 'tensor', boxes)  # mmdet's box types hold theirs as `tensor`
    if not isinstance(boxes, Tensor):
        hint = 'give the pipeline LoadAnnotations with boxes, or use a method that needs none'
        raise DataError(_NO_BOXES.format(f'a {type(sample).__name__} without them', hint))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DataError(f'boxes: expected upright rectangles (M, 4), got {tuple(boxes.shape)}')
    return boxes
