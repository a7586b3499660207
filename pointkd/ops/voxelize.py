"""Points into voxels: the cell of every point (dynamic), or fixed-size buckets of points (hard).

Cell of a point along an axis: floor((coordinate - minimum) / size), in the points' own precision (half precision counts
as float32); the grid has round((maximum - minimum) / size) cells. Voxels are in the order of their first points.
Coordinates are z, y, x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.ops.jit import jit

Floats: TypeAlias = Tensor | Sequence[float]


def hard_voxelize(
    points: Tensor, voxel_size: Floats, point_range: Floats, max_points: int, max_voxels: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Collect the first points of every voxel.

    Points outside the range, points beyond `max_points` in their voxel and voxels beyond `max_voxels` are dropped.

    Args:
        points: (N, 3+F) float, metres, x y z and features.
        voxel_size: 3 edge lengths x, y, z in metres.
        point_range: x, y, z minimum and x, y, z maximum in metres.
        max_points: most points a voxel holds.
        max_voxels: most voxels.

    Returns:
        voxels (V, max_points, 3+F), zero where there is no point; coors (V, 3) int32 z, y, x; num_points (V,) int32.

    Raises:
        ShapeError: points have fewer than 3 columns.

    Cost: O(N) time on the CPU; O(N log N) elsewhere.

    Example:
        >>> cloud = torch.tensor([[0.1, 0.2, 0.3], [1.5, 0.0, 0.0], [0.4, 0.4, 0.4]])
        >>> voxels, coors, counts = hard_voxelize(cloud, (1, 1, 1), (0, 0, 0, 2, 2, 2), max_points=2, max_voxels=10)
        >>> coors.tolist(), counts.tolist()
        ([[0, 0, 0], [0, 0, 1]], [2, 1])
    """
    voxels = points.new_zeros(max_voxels, max_points, points.shape[-1])
    coors = points.new_zeros(max_voxels, 3, dtype=torch.int32)
    num_points = points.new_zeros(max_voxels, dtype=torch.int32)
    count = hard_voxelize_into(points, voxel_size, point_range, voxels, coors, num_points)
    return voxels[:count], coors[:count], num_points[:count]


def hard_voxelize_into(
    points: Tensor, voxel_size: Floats, point_range: Floats, voxels: Tensor, coors: Tensor, num_points: Tensor
) -> int:
    """Fill zeroed buffers as `hard_voxelize` would return them, and return the number of voxels.

    Args:
        points: (N, 3+F) float.
        voxel_size: 3 edge lengths.
        point_range: 3 minima, 3 maxima.
        voxels: (max_voxels, max_points, 3+F), contiguous, of the points' type.
        coors: (max_voxels, 3) int32, contiguous.
        num_points: (max_voxels,) int32, contiguous.
    """
    check_points(points)
    low, size, grid = grid_of(voxel_size, point_range, points.dtype)
    if points.device.type == 'cpu' and points.dtype == low.dtype:
        cloud = points.detach().contiguous().numpy()
        return _fill_loop(
            cloud, low.numpy(), size.numpy(), grid.numpy(), voxels.numpy(), coors.numpy(), num_points.numpy()
        )
    return _fill_torch(points.detach(), low, size, grid, voxels, coors, num_points)


def dynamic_voxelize(points: Tensor, voxel_size: Floats, point_range: Floats) -> Tensor:
    """Return the cell of every point.

    Args:
        points: (N, 3+F) float, metres.
        voxel_size: 3 edge lengths x, y, z in metres.
        point_range: x, y, z minimum and x, y, z maximum in metres.

    Returns:
        (N, 3) int32 z, y, x; -1, -1, -1 for points outside the range.

    Raises:
        ShapeError: points have fewer than 3 columns.

    Example:
        >>> dynamic_voxelize(torch.tensor([[0.5, 1.5, 0.5], [-1.0, 0.0, 0.0]]), (1, 1, 1), (0, 0, 0, 2, 2, 2)).tolist()
        [[0, 1, 0], [-1, -1, -1]]
    """
    check_points(points)
    return _cells_torch(points.detach(), *grid_of(voxel_size, point_range, points.dtype))


def check_points(points: Tensor) -> None:
    """Raise unless points are (N, 3 or more)."""
    if points.ndim != 2 or points.shape[1] < 3:
        raise ShapeError(f'points: expected shape (N, 3 or more), got {tuple(points.shape)}')


def grid_of(voxel_size: Floats, point_range: Floats, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return minimum (3,), cell size (3,) and cells per axis (3,) int64, each x, y, z, on the CPU.

    Minimum and size are float64 for float64 points, else float32; their values are those of float32 in any case: that
    is what mmcv's kernels are given.
    """
    size = torch.as_tensor(voxel_size, dtype=torch.float32).cpu()
    bounds = torch.as_tensor(point_range, dtype=torch.float32).cpu()
    check_shape(size, '3', 'voxel_size')
    check_shape(bounds, '6', 'point_range')
    grid = torch.floor(((bounds[3:] - bounds[:3]) / size).double() + 0.5).long()  # halves upwards, as in C
    precise = torch.float64 if dtype == torch.float64 else torch.float32
    return bounds[:3].to(precise), size.to(precise), grid


def _cells_torch(points: Tensor, low: Tensor, size: Tensor, grid: Tensor) -> Tensor:
    """Return (N, 3) int32 cells z, y, x, or -1 in all three."""
    low, size, grid = (axis.to(points.device) for axis in (low, size, grid))
    cells = torch.floor((points[:, :3].to(low.dtype) - low) / size)
    inside = ((cells >= 0) & (cells < grid)).all(dim=1, keepdim=True)  # NaN is outside
    return torch.where(inside, cells, -1.0).flip(1).to(torch.int32)


def _fill_torch(
    points: Tensor, low: Tensor, size: Tensor, grid: Tensor, voxels: Tensor, coors: Tensor, num_points: Tensor
) -> int:
    """Fill the buffers with sorts and scatters; the reference of `_fill_loop`."""
    max_voxels, max_points = voxels.shape[:2]
    cells = _cells_torch(points, low, size, grid)
    inside = (cells[:, 0] >= 0).nonzero().squeeze(1)  # (K,) in the points' order
    if len(inside) == 0 or max_voxels == 0:
        return 0
    cells = cells[inside].long()
    key = (cells[:, 0] * grid[1] + cells[:, 1]) * grid[0] + cells[:, 2]
    unique, voxel = torch.unique(key, return_inverse=True)
    position = torch.arange(len(key), device=key.device)
    first = torch.full_like(unique, len(key)).scatter_reduce_(0, voxel, position, 'amin')  # (V,) first point
    rank = torch.argsort(torch.argsort(first))  # voxels in the order of their first points
    voxel = rank[voxel]
    order = torch.argsort(voxel, stable=True)
    total = torch.bincount(voxel, minlength=len(unique))
    slot = torch.empty_like(voxel)
    slot[order] = position - (torch.cumsum(total, 0) - total)[voxel[order]]
    kept = (voxel < max_voxels) & (slot < max_points)
    voxels[voxel[kept], slot[kept]] = points[inside[kept]]
    count = min(len(unique), max_voxels)
    coors[:count] = cells[torch.sort(first).values[:count]].to(coors.dtype)
    num_points[:count] = total[:count].clamp(max=max_points).to(num_points.dtype)
    return count


@jit
def _fill_loop(
    points: np.ndarray,
    low: np.ndarray,
    size: np.ndarray,
    grid: np.ndarray,
    voxels: np.ndarray,
    coors: np.ndarray,
    num_points: np.ndarray,
) -> int:
    """Fill the buffers in one pass; a hash table with open addressing finds a cell's voxel."""
    max_voxels, max_points, width = voxels.shape
    bits = 4
    while (1 << bits) < 2 * min(len(points), max_voxels):
        bits += 1
    mask = (1 << bits) - 1
    keys = np.full(1 << bits, -1, np.int64)
    values = np.empty(1 << bits, np.int32)
    count = 0
    for index in range(len(points)):
        x = np.floor((points[index, 0] - low[0]) / size[0])
        y = np.floor((points[index, 1] - low[1]) / size[1])
        z = np.floor((points[index, 2] - low[2]) / size[2])
        if not (0 <= x < grid[0] and 0 <= y < grid[1] and 0 <= z < grid[2]):  # NaN is outside
            continue
        key = (np.int64(z) * grid[1] + np.int64(y)) * grid[0] + np.int64(x)
        place = ((key * 0x9E3779B97F4A7C1) >> 20) & mask  # multiplicative hashing
        while keys[place] != key and keys[place] != -1:
            place = (place + 1) & mask
        if keys[place] == -1:
            if count == max_voxels:
                continue
            keys[place] = key
            values[place] = count
            coors[count, 0] = np.int32(z)
            coors[count, 1] = np.int32(y)
            coors[count, 2] = np.int32(x)
            count += 1
        voxel = values[place]
        slot = num_points[voxel]
        if slot < max_points:
            for column in range(width):
                voxels[voxel, slot, column] = points[index, column]
            num_points[voxel] = slot + 1
    return count
