"""Features of points into features of voxels, by coordinate."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.ops.jit import jit

REDUCTIONS = ('sum', 'mean', 'max')


def dynamic_scatter(features: Tensor, coors: Tensor, reduce: str = 'max') -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reduce the features of the points of each voxel.

    Differentiable in the features; the gradient of a maximum goes to the first point that attains it.

    Args:
        features: (N, C) float.
        coors: (N, D) integer coordinates; a row with a negative one is left out.
        reduce: `'sum'`, `'mean'` or `'max'`.

    Returns:
        features (M, C); coors (M, D) in lexicographic order; point2voxel (N,) int32, -1 where left out;
        count (M,) int32, points of each voxel.

    Raises:
        ShapeError: shapes do not fit.
        ConfigError: another reduction.

    Cost: O(N log N + N C) time, O(N C) memory.

    Example:
        >>> features = torch.tensor([[1.0], [2.0], [5.0]])
        >>> values, coors, _, count = dynamic_scatter(features, torch.tensor([[0, 1], [0, 0], [0, 1]]), 'sum')
        >>> values.tolist(), coors.tolist(), count.tolist()
        ([[2.0], [6.0]], [[0, 0], [0, 1]], [1, 2])
    """
    voxels, point2voxel, count = group_by_coordinate(coors)
    check_shape(features, f'{len(coors)} C', 'features')
    return _Reduce.apply(features, point2voxel, count, reduce), voxels, point2voxel, count


def group_by_coordinate(coors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number the different coordinates.

    Args:
        coors: (N, D) integers; a row with a negative one is left out.

    Returns:
        different coordinates (M, D) in lexicographic order; number of each point's (N,) int32, -1 where left out;
        points of each (M,) int32.

    Raises:
        ShapeError: coordinates are not (N, D).
    """
    check_shape(coors, 'N D', 'coors')
    inside = (coors >= 0).all(dim=1)
    voxels, inverse, count = _unique_rows(coors[inside])
    point2voxel = coors.new_full((len(coors),), -1, dtype=torch.int32)
    point2voxel[inside] = inverse.to(torch.int32)
    return voxels, point2voxel, count.to(torch.int32)


def reduce_points(features: Tensor, point2voxel: Tensor, count: Tensor, reduce: str) -> Tensor:
    """Return voxel features (M, C) of features (N, C), given each point's voxel (N,) and the voxels' counts (M,)."""
    if reduce not in REDUCTIONS:
        raise ConfigError(f'reduce: expected one of {", ".join(REDUCTIONS)}, got {reduce!r}')
    inside = point2voxel >= 0
    index = point2voxel[inside].long()
    values = features[inside]
    out = features.new_zeros(len(count), features.shape[1])
    if reduce == 'max':
        return out.scatter_reduce_(0, index[:, None].expand_as(values), values, 'amax', include_self=False)
    out.index_add_(0, index, values)
    return out / count[:, None].to(out.dtype) if reduce == 'mean' else out


def reduce_points_gradient(
    gradient: Tensor, features: Tensor, voxel_features: Tensor, point2voxel: Tensor, count: Tensor, reduce: str
) -> Tensor:
    """Return the gradient of `reduce_points` with respect to its features.

    Args:
        gradient: (M, C) of the voxel features.
        features: (N, C) what was reduced.
        voxel_features: (M, C) what came out.
        point2voxel: (N,) voxel of each point, -1 where left out.
        count: (M,) points of each voxel.
        reduce: `'sum'`, `'mean'` or `'max'`.

    Returns:
        (N, C).
    """
    if reduce == 'max':
        if features.device.type == 'cpu' and features.dtype in (torch.float32, torch.float64):
            return _max_gradient_numba(gradient, features, voxel_features, point2voxel)
        return _max_gradient_torch(gradient, features, voxel_features, point2voxel)
    if reduce == 'mean':
        gradient = gradient / count[:, None].to(gradient.dtype)
    inside = point2voxel >= 0
    out = torch.zeros_like(features)
    out[inside] = gradient[point2voxel[inside].long()]
    return out


def _unique_rows(coors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return different rows in lexicographic order, each row's number and the counts.

    Rows are packed into one integer, which sorts many times faster than rows do; too large coordinates are not packed.
    """
    if len(coors) == 0:
        empty = coors.new_zeros(0, dtype=torch.int64)
        return coors, empty, empty
    sizes = [int(size) + 1 for size in coors.amax(dim=0).tolist()]
    if math.prod(sizes) >= 1 << 62:
        return torch.unique(coors, dim=0, return_inverse=True, return_counts=True)
    key = torch.zeros(len(coors), dtype=torch.int64, device=coors.device)
    for axis, size in enumerate(sizes):
        key = key * size + coors[:, axis]
    key, inverse, count = torch.unique(key, return_inverse=True, return_counts=True)
    columns = []
    for size in reversed(sizes):
        columns.append(key % size)
        key = key // size
    return torch.stack(columns[::-1], dim=1).to(coors.dtype), inverse, count


def _max_gradient_torch(gradient: Tensor, features: Tensor, maxima: Tensor, point2voxel: Tensor) -> Tensor:
    """Return the gradient (N, C) of the maximum; the reference of `_max_gradient_loop`."""
    inside = (point2voxel >= 0).nonzero().squeeze(1)
    index = point2voxel[inside].long()
    candidate = torch.where(features[inside] == maxima[index], inside[:, None], len(features))  # point, or none
    first = torch.full(maxima.shape, len(features), dtype=torch.int64, device=features.device)
    first.scatter_reduce_(0, index[:, None].expand_as(candidate), candidate, 'amin')
    out = torch.cat([torch.zeros_like(features), features.new_zeros(1, features.shape[1])])  # last row: no point
    return out.scatter_(0, first, gradient)[:-1]


def _max_gradient_numba(gradient: Tensor, features: Tensor, maxima: Tensor, point2voxel: Tensor) -> Tensor:
    out = torch.zeros_like(features, memory_format=torch.contiguous_format)
    tensors = (gradient, features, maxima, point2voxel, out)
    _max_gradient_loop(*(tensor.detach().contiguous().numpy() for tensor in tensors))
    return out


@jit
def _max_gradient_loop(
    gradient: np.ndarray, features: np.ndarray, maxima: np.ndarray, point2voxel: np.ndarray, out: np.ndarray
) -> None:
    """Fill out (N, C): the gradient (M, C) of each maximum goes to the first point that attains it."""
    given = np.zeros(maxima.shape, np.bool_)
    for point in range(len(features)):
        voxel = point2voxel[point]
        if voxel < 0:
            continue
        for channel in range(features.shape[1]):
            if features[point, channel] == maxima[voxel, channel] and not given[voxel, channel]:
                given[voxel, channel] = True
                out[point, channel] = gradient[voxel, channel]


class _Reduce(torch.autograd.Function):
    """`reduce_points` with `reduce_points_gradient` as its backward."""

    @staticmethod
    def forward(ctx, features: Tensor, point2voxel: Tensor, count: Tensor, reduce: str) -> Tensor:
        out = reduce_points(features, point2voxel, count, reduce)
        ctx.save_for_backward(features, out, point2voxel, count)
        ctx.reduce = reduce
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        features, out, point2voxel, count = ctx.saved_tensors
        return reduce_points_gradient(gradient, features, out, point2voxel, count, ctx.reduce), None, None, None
