"""Non-maximum suppression of rotated boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.ops.greedy import best_first, greedy_keep
from pointkd.ops.rotated import box_iou_rotated
from pointkd.ops.rotated_loops import keep_loop


def nms_rotated(boxes: Tensor, scores: Tensor, threshold: float, labels: Tensor | None = None) -> Tensor:
    """Keep the best of rotated boxes that overlap each other.

    From the highest score down, a box goes if its IoU with a kept box is strictly above the threshold; both are
    compared as float32, so that an IoU equal to the threshold does not suppress. The order of equal scores is that of
    `pointkd.ops.greedy.best_first`.

    Args:
        boxes: (N, 5) float; x, y, width, height, radians.
        scores: (N,) float.
        threshold: highest IoU of two kept boxes.
        labels: (N,) class of each box; boxes of different classes never suppress each other.

    Returns:
        (K,) int64, numbers of the kept boxes, best first.

    Raises:
        ShapeError: shapes do not fit.

    Cost: O(N K) distances; only pairs whose circumscribed circles meet, and whose areas let them exceed the threshold,
        are clipped. O(N) memory on the CPU.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 4, 2, 0], [0.1, 0, 4, 2, 0.05], [9, 9, 4, 2, 1]])
        >>> nms_rotated(boxes, torch.tensor([0.5, 0.9, 0.3]), 0.1).tolist()
        [1, 2]
    """
    count = check_shape(boxes, 'N 5', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    if labels is not None:
        check_shape(labels, str(count), 'labels')
    order = best_first(scores)
    ordered = boxes.detach().double()[order]
    classes = torch.zeros_like(order) if labels is None else labels[order].long()
    return order[keep_rotated(ordered, classes, threshold)]


def keep_rotated(boxes: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Return which of the boxes (N, 5) float64, best first, with labels (N,) int64 survive: (N,) bool."""
    if boxes.device.type == 'cpu':
        alive = keep_loop(boxes.contiguous().numpy(), labels.contiguous().numpy(), float(np.float32(threshold)))
        return torch.from_numpy(alive)
    return _keep_torch(boxes, labels, threshold)


def _keep_torch(boxes: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Return the survivors with torch; the reference of `keep_loop`."""

    def overlap(rows: Tensor, columns: Tensor) -> Tensor:
        iou = box_iou_rotated(boxes[rows], boxes[columns]).float()
        return torch.where(labels[rows][:, None] == labels[columns], iou, -torch.inf)

    return greedy_keep(overlap, len(boxes), float(np.float32(threshold)), boxes.device)
