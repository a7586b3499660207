"""Overlap and suppression of 3D boxes seen from above.

A box is x, y, z, length, width, height, yaw (radians, from x towards y); z and height play no part here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.ops.greedy import best_first
from pointkd.ops.nms import keep_boxes
from pointkd.ops.nms_rotated import keep_rotated
from pointkd.ops.rotated import overlap_rotated

BEV = [0, 1, 3, 4, 6]  # columns x, y, length, width, yaw


def boxes_overlap_bev(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the area that boxes have in common in the bird's-eye view.

    Args:
        boxes1: (N, 7) float.
        boxes2: (M, 7) float.

    Returns:
        (N, M) square metres, of the type of boxes1.

    Raises:
        ShapeError: boxes have another width than 7.

    Example:
        >>> car = torch.tensor([[0.0, 0.0, 0.0, 4.0, 2.0, 1.5, 0.0]])
        >>> boxes_overlap_bev(car, car + torch.tensor([1.0, 0, 9, 0, 0, 0, 0]))
        tensor([[6.]])
    """
    check_shape(boxes1, 'N 7', 'boxes1')
    check_shape(boxes2, 'M 7', 'boxes2')
    return overlap_rotated(boxes1[:, BEV], boxes2[:, BEV]).to(boxes1.dtype)


def nms3d(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Keep the best of boxes whose bird's-eye IoU is strictly above the threshold.

    Args:
        boxes: (N, 7) float.
        scores: (N,) float.
        threshold: highest IoU of two kept boxes.

    Returns:
        (K,) int64, numbers of the kept boxes, best first.

    Raises:
        ShapeError: shapes do not fit.
    """
    count = check_shape(boxes, 'N 7', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    order = best_first(scores)
    return order[keep_3d(boxes[order], threshold)]


def nms3d_normal(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Do as `nms3d` with every yaw taken for 0."""
    count = check_shape(boxes, 'N 7', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    order = best_first(scores)
    return order[keep_3d_normal(boxes[order], threshold)]


def keep_3d(boxes: Tensor, threshold: float) -> Tensor:
    """Return which of the boxes (N, 7), best first, survive by rotated bird's-eye IoU: (N,) bool."""
    bev = boxes.detach()[:, BEV].double()
    return keep_rotated(bev, torch.zeros(len(bev), dtype=torch.int64, device=bev.device), threshold)


def keep_3d_normal(boxes: Tensor, threshold: float) -> Tensor:
    """Return which of the boxes (N, 7), best first, survive by bird's-eye IoU without yaw: (N,) bool."""
    boxes = boxes.detach().double()
    centre, half = boxes[:, :2], boxes[:, 3:5] / 2
    return keep_boxes(torch.cat([centre - half, centre + half], dim=1), threshold)
