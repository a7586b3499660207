"""Non-maximum suppression of axis-aligned boxes.

All arithmetic is in the boxes' own precision, so that decisions are those of mmcv's compiled kernels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.ops.box_overlaps import bbox_overlaps
from pointkd.ops.greedy import best_first, greedy_keep
from pointkd.ops.jit import AVAILABLE, jit


def nms(boxes: Tensor, scores: Tensor, threshold: float, offset: int = 0) -> Tensor:
    """Keep the best of boxes that overlap each other.

    From the highest score down, a box goes if its IoU with a kept box is strictly above the threshold. The order of
    equal scores is that of `pointkd.ops.greedy.best_first`.

    Args:
        boxes: (N, 4) float; x1, y1, x2, y2.
        scores: (N,) float.
        threshold: highest IoU of two kept boxes.
        offset: added to every width and height: 1 where the last pixel belongs to the box, else 0.

    Returns:
        (K,) int64, numbers of the kept boxes, best first.

    Raises:
        ShapeError: shapes do not fit.

    Cost: O(N K) time, O(N) memory on the CPU.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 12, 12]])
        >>> nms(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.5).tolist()
        [1, 2]
    """
    count = check_shape(boxes, 'N 4', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    order = best_first(scores)
    ordered = boxes.detach()[order]
    return order[keep_boxes(ordered, threshold, offset)]


def keep_boxes(boxes: Tensor, threshold: float, offset: int = 0) -> Tensor:
    """Return which of the boxes (N, 4) float, best first, survive: (N,) bool."""
    if AVAILABLE and boxes.device.type == 'cpu' and boxes.dtype in (torch.float32, torch.float64):
        owner = torch.from_numpy(_owners(boxes, threshold, offset, inclusive=False))
        return owner == torch.arange(len(boxes))
    return _keep_torch(boxes, threshold, offset)


def nms_match(boxes: Tensor, scores: Tensor, threshold: float) -> list[list[int]]:
    """Group every box with the kept box that suppresses it.

    As in `nms`, but an IoU equal to the threshold suppresses too (so does mmcv's kernel).

    Args:
        boxes: (N, 4) float; x1, y1, x2, y2.
        scores: (N,) float.
        threshold: highest IoU of two kept boxes.

    Returns:
        One list a kept box, best first: its number, then those of the boxes it suppresses, best first.

    Raises:
        ShapeError: shapes do not fit.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 12, 12]])
        >>> nms_match(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.5)
        [[1, 0], [2]]
    """
    count = check_shape(boxes, 'N 4', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    order = best_first(scores.cpu())
    owner = _owners(boxes.detach().cpu()[order], threshold, 0, inclusive=True)
    groups: dict[int, list[int]] = {}
    for best, index in zip(owner.tolist(), order.tolist(), strict=True):
        groups.setdefault(best, []).append(index)
    return list(groups.values())


def _keep_torch(boxes: Tensor, threshold: float, offset: int) -> Tensor:
    """Return the survivors with torch; the reference of `_owner_loop`."""
    limit = torch.tensor(threshold, dtype=boxes.dtype).item()
    return greedy_keep(
        lambda rows, columns: bbox_overlaps(boxes[rows], boxes[columns], offset=offset), len(boxes), limit, boxes.device
    )


def _owners(boxes: Tensor, threshold: float, offset: int, inclusive: bool) -> np.ndarray:
    """Call the loop with every number of the boxes' type, so that none is promoted."""
    array = boxes.contiguous().numpy()
    number = array.dtype.type
    return _owner_loop(array, number(threshold), number(offset), number(0), inclusive)


@jit
def _owner_loop(
    boxes: np.ndarray, threshold: np.floating, offset: np.floating, zero: np.floating, inclusive: bool
) -> np.ndarray:
    """Return (N,) int64: for each of the boxes (N, 4), best first, the kept box that suppresses it, itself if kept."""
    area = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    owner = np.full(len(boxes), -1, np.int64)
    for i in range(len(boxes)):
        if owner[i] >= 0:
            continue
        owner[i] = i
        for j in range(i + 1, len(boxes)):
            if owner[j] >= 0:
                continue
            width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]) + offset
            height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]) + offset
            common = max(width, zero) * max(height, zero)
            iou = common / (area[i] + area[j] - common)
            if iou > threshold or (inclusive and iou == threshold):
                owner[j] = i
    return owner
