"""3D boxes seen from above under mmcv's names."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.iou3d import boxes_overlap_bev, keep_3d, keep_3d_normal
from pointkd.ops.registry import kernel


@kernel('iou3d_boxes_overlap_bev_forward')
def overlap_bev_kernel(boxes_a: Tensor, boxes_b: Tensor, overlap: Tensor) -> None:
    """Fill overlap (N, M) with areas."""
    overlap.copy_(boxes_overlap_bev(boxes_a, boxes_b))


@kernel('iou3d_nms3d_forward')
def nms3d_kernel(boxes: Tensor, keep: Tensor, num_out: Tensor, *, nms_overlap_thresh: float) -> None:
    """Fill keep (N,) and num_out for boxes (N, 7), best first."""
    _fill(keep, num_out, keep_3d(boxes, nms_overlap_thresh))


@kernel('iou3d_nms3d_normal_forward')
def nms3d_normal_kernel(boxes: Tensor, keep: Tensor, num_out: Tensor, *, nms_overlap_thresh: float) -> None:
    """Fill keep (N,) and num_out for boxes (N, 7), best first, without yaw."""
    _fill(keep, num_out, keep_3d_normal(boxes, nms_overlap_thresh))


def _fill(keep: Tensor, num_out: Tensor, alive: Tensor) -> None:
    kept = alive.nonzero().squeeze(1)
    keep[: len(kept)] = kept
    num_out.fill_(len(kept))
