"""Dynamic scatter under mmcv's names."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.registry import kernel
from pointkd.ops.scatter import dynamic_scatter, reduce_points_gradient


@kernel('dynamic_point_to_voxel_forward')
def dynamic_point_to_voxel_forward(
    feats: Tensor, coors: Tensor, reduce_type: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return voxel features (M, C), coordinates (M, D), each point's voxel (N,) and the voxels' counts (M,)."""
    return dynamic_scatter(feats, coors, reduce_type)


@kernel('dynamic_point_to_voxel_backward')
def dynamic_point_to_voxel_backward(
    grad_feats: Tensor,
    grad_voxel_feats: Tensor,
    feats: Tensor,
    voxel_feats: Tensor,
    point2voxel: Tensor,
    count: Tensor,
    reduce_type: str,
) -> None:
    """Fill grad_feats (N, C)."""
    grad_feats.copy_(reduce_points_gradient(grad_voxel_feats, feats, voxel_feats, point2voxel, count, reduce_type))
