"""Rotated boxes under mmcv's names."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.ops.nms_rotated import keep_rotated
from pointkd.ops.registry import kernel
from pointkd.ops.rotated import box_iou_rotated as iou_of_rotated

MODES = ('iou', 'iof')


@kernel('box_iou_rotated')
def box_iou_rotated(boxes1: Tensor, boxes2: Tensor, ious: Tensor, *, mode_flag: int = 0, aligned: bool = False) -> None:
    """Fill ious (N·M,) or, where aligned, (N,) with the overlaps of boxes1 (N, 5) and boxes2 (M, 5)."""
    ious.copy_(iou_of_rotated(boxes1, boxes2, MODES[mode_flag], aligned).view_as(ious))


@kernel('nms_rotated')
def nms_rotated(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    labels: Tensor,
    threshold: float,
    multi_label: bool,
) -> Tensor:
    """Return the kept rows of dets (N, 5, or 6 with the label), best first.

    `order` and `dets_sorted` are the caller's descending sort.
    """
    classes = labels[order].long() if multi_label else torch.zeros_like(order)
    return order[keep_rotated(dets_sorted[:, :5].double(), classes, threshold)]
