"""Overlap of axis-aligned boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, ShapeError


def bbox_overlaps(
    boxes1: Tensor, boxes2: Tensor, mode: str = 'iou', aligned: bool = False, offset: float = 0
) -> Tensor:
    """Return the overlap ratio of boxes, in their own precision.

    Args:
        boxes1: (N, 4) float; x1, y1, x2, y2.
        boxes2: (M, 4) float; N = M where aligned.
        mode: `'iou'` for intersection over union, `'iof'` for intersection over the area of the first box.
        aligned: compare row with row.
        offset: added to every width and height: 1 where the last pixel belongs to the box, else 0.

    Returns:
        (N, M), or (N,) where aligned. Two boxes without area give NaN (0 / 0), as mmcv's kernel does.

    Raises:
        ShapeError: boxes are not (N, 4), or differ in number where aligned.
        ConfigError: another mode.

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 4.0, 2.0]])
        >>> bbox_overlaps(box, torch.tensor([[2.0, 0.0, 6.0, 2.0]]))
        tensor([[0.3333]])
    """
    if mode not in ('iou', 'iof'):
        raise ConfigError(f"mode: expected 'iou' or 'iof', got {mode!r}")
    count1, count2 = check_shape(boxes1, 'N 4', 'boxes1')['N'], check_shape(boxes2, 'M 4', 'boxes2')['M']
    if aligned and count1 != count2:
        raise ShapeError(f'aligned boxes: expected as many in both, got {count1} and {count2}')
    if not aligned:
        boxes1 = boxes1[:, None]
    width = torch.minimum(boxes1[..., 2], boxes2[..., 2]) - torch.maximum(boxes1[..., 0], boxes2[..., 0])
    height = torch.minimum(boxes1[..., 3], boxes2[..., 3]) - torch.maximum(boxes1[..., 1], boxes2[..., 1])
    common = (width + offset).clamp(min=0) * (height + offset).clamp(min=0)
    area1 = _area(boxes1, offset)
    return common / (area1 + _area(boxes2, offset) - common if mode == 'iou' else area1)


def _area(boxes: Tensor, offset: float) -> Tensor:
    """Return the area (...,) of boxes (..., 4); negative where one side is inverted."""
    return (boxes[..., 2] - boxes[..., 0] + offset) * (boxes[..., 3] - boxes[..., 1] + offset)
