"""Points in boxes under mmcv's names, and the two mmcv functions that ask for CUDA before they call a kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.ops.points_in_boxes import points_in_boxes_all, points_in_boxes_part
from pointkd.ops.registry import kernel, wrapper


@kernel('points_in_boxes_all_forward')
def all_kernel(boxes: Tensor, points: Tensor, mask: Tensor) -> None:
    """Fill mask (B, M, T) for boxes (B, T, 7) and points (B, M, 3)."""
    mask.copy_(points_in_boxes_all(points, boxes))


@kernel('points_in_boxes_part_forward')
def part_kernel(boxes: Tensor, points: Tensor, index: Tensor) -> None:
    """Fill index (B, M) for boxes (B, T, 7) and points (B, M, 3)."""
    index.copy_(points_in_boxes_part(points, boxes))


@kernel('points_in_boxes_cpu_forward')
def cpu_kernel(boxes: Tensor, points: Tensor, mask: Tensor) -> None:
    """Fill mask (T, M) for boxes (T, 7) and points (M, 3), both float32."""
    mask.copy_(points_in_boxes_all(points[None], boxes[None], torch.float32)[0].T)


@wrapper('mmcv.ops.points_in_boxes', 'points_in_boxes_all')
def all_of_mmcv(points: Tensor, boxes: Tensor) -> Tensor:
    """Return the mask (B, M, T) int32 of points (B, M, 3) inside boxes (B, T, 7)."""
    return points_in_boxes_all(points, boxes)


@wrapper('mmcv.ops.points_in_boxes', 'points_in_boxes_part')
def part_of_mmcv(points: Tensor, boxes: Tensor) -> Tensor:
    """Return the first box (B, M) int32 around each of the points (B, M, 3), or -1."""
    return points_in_boxes_part(points, boxes)
