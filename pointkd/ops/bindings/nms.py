"""Axis-aligned boxes under mmcv's names."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops import box_overlaps, nms, soft_nms
from pointkd.ops.registry import kernel

MODES = ('iou', 'iof')


@kernel('bbox_overlaps')
def bbox_overlaps_kernel(
    boxes1: Tensor, boxes2: Tensor, ious: Tensor, *, mode: int, aligned: bool, offset: int
) -> None:
    """Fill ious (N, M) or, where aligned, (N,)."""
    ious.copy_(box_overlaps.bbox_overlaps(boxes1, boxes2, MODES[mode], aligned, offset))


@kernel('nms')
def nms_kernel(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Return the kept rows, best first."""
    return nms.nms(boxes, scores, iou_threshold, offset)


@kernel('softnms')
def softnms_kernel(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Fill the first rows of dets (N, 5) and return the numbers of their boxes."""
    name = soft_nms.METHODS[method]
    taken, index = soft_nms.soft_nms(boxes, scores, iou_threshold, sigma, min_score, method=name, offset=offset)
    dets[: len(taken)] = taken
    return index


@kernel('nms_match')
def nms_match_kernel(dets: Tensor, *, iou_threshold: float) -> list[list[int]]:
    """Return groups of rows of dets (N, 5), each led by a kept one."""
    return nms.nms_match(dets[:, :4], dets[:, 4], iou_threshold)
