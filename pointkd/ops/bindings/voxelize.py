"""Voxelisation under mmcv's names."""

from __future__ import annotations

from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.ops.registry import kernel
from pointkd.ops.voxelize import dynamic_voxelize, hard_voxelize_into


@kernel('hard_voxelize_forward')
def hard_voxelize_forward(
    points: Tensor,
    voxel_size: Tensor,
    coors_range: Tensor,
    voxels: Tensor,
    coors: Tensor,
    num_points_per_voxel: Tensor,
    voxel_num: Tensor,
    *,
    max_points: int,
    max_voxels: int,
    NDim: int = 3,
    deterministic: bool = True,
) -> None:
    """Fill voxels (max_voxels, max_points, C), coors (max_voxels, 3), num_points_per_voxel and voxel_num.

    The result is the deterministic one whatever `deterministic` says.
    """
    _check_dimensions(NDim)
    buffers = voxels[:max_voxels, :max_points], coors[:max_voxels], num_points_per_voxel[:max_voxels]
    voxel_num.fill_(hard_voxelize_into(points, voxel_size, coors_range, *buffers))


@kernel('dynamic_voxelize_forward')
def dynamic_voxelize_forward(
    points: Tensor, voxel_size: Tensor, coors_range: Tensor, coors: Tensor, *, NDim: int = 3
) -> None:
    """Fill coors (N, 3) with z, y, x, or -1 outside."""
    _check_dimensions(NDim)
    coors.copy_(dynamic_voxelize(points, voxel_size, coors_range))


def _check_dimensions(dimensions: int) -> None:
    if dimensions != 3:
        raise ConfigError(f'NDim: voxelisation works in 3 dimensions, got {dimensions}')
