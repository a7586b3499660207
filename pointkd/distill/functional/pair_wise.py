"""Structured distillation: how alike each pair of places is."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import max_pool2d

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.functional.similarity import unit


def pair_wise(student: Tensor, teacher: Tensor, pool: float | None = None) -> Tensor:
    """Return the mean squared difference of the cosines between all pairs of places in an image.

    `L = mean_ij (a_S,ij - a_T,ij)²`, `a_ij` the cosine of the features at places i and j.

    Args:
        student: (N, C, H, W).
        teacher: (N, C', H, W), any width; no gradient reaches it.
        pool: max-pool first, which keeps the (H*W)² pairs few: a whole number is the window's side in cells, a
            fraction below 1 its part of each side of the map (0.5 leaves 2 x 2 places). None: no pooling.

    Returns:
        Scalar; 0 with a gradient path for an empty batch.

    Raises:
        ShapeError: the maps differ in more than width.
        ConfigError: a pool that means nothing.
    Cost: memory of two matrices (N, P, P), P places after pooling.
    Source: Structured knowledge distillation (1903.04197), pair-wise part.
    """
    check_shape(student, 'N C H W', 'student')
    check_places(student, teacher)
    check_pool(pool)
    with full_precision(student):
        ours, theirs = (cosines(_pooled(widen(side), pool)) for side in (student, teacher.detach()))
        difference = (ours - theirs).square()
        return difference.mean() if difference.numel() else difference.sum() + student.sum()


def cosines(values: Tensor) -> Tensor:
    """Return the cosines (N, P, P) between all places of a map (N, C, H, W)."""
    rows = unit(values.flatten(2), 1)
    return rows.transpose(1, 2) @ rows


def check_places(student: Tensor, teacher: Tensor) -> None:
    """Raise unless two maps differ in width at most.

    Raises:
        ShapeError: they differ in batch, height or width.
    """
    if student.ndim != teacher.ndim or student.shape[0] != teacher.shape[0] or student.shape[2:] != teacher.shape[2:]:
        raise ShapeError(
            f'student and teacher: expected the same batch and places, got {tuple(student.shape)} and '
            f'{tuple(teacher.shape)}; match the maps first'
        )


def check_pool(pool: float | None) -> None:
    """Raise unless a pool is None, a whole number of cells, or a fraction below 1.

    Raises:
        ConfigError: another value.
    """
    if pool is not None and (not pool > 0 or (pool >= 1 and pool != int(pool))):
        raise ConfigError(f'pool: expected a whole number of cells, or a part of the map below 1, got {pool!r}')


def _pooled(values: Tensor, pool: float | None) -> Tensor:
    """Return a map max-pooled by a window that does not overlap; the last one may hang over."""
    if pool is None or not values.numel():
        return values
    sides = [max(1, math.floor(pool * side)) if pool < 1 else int(pool) for side in values.shape[2:]]
    return max_pool2d(values, sides, ceil_mode=True)
