"""Distillation from a stronger teacher (DIST): correlations of class probabilities instead of their values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import softmax

from pointkd.core.errors import ShapeError
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.functional.similarity import EPS


def dist(
    student: Tensor,
    teacher: Tensor,
    tau: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    *,
    per_image: bool = False,
) -> Tensor:
    """Return how far class probabilities are from being correlated, between classes and within them.

    With `p = softmax(z/τ)`, rows r and classes c:

        `L = τ² (β · mean_r (1 - corr(p_S[r, :], p_T[r, :])) + γ · mean_c (1 - corr(p_S[:, c], p_T[:, c])))`

    A student may be less sure than the teacher as long as it ranks and spaces classes (β) and rows (γ) alike. Rows or
    classes on which the teacher does not vary at all count as 0: there is no correlation with a constant. Where the
    student does not vary it is 1, without a gradient (that of a correlation grows without bound there).

    Args:
        student: (R, C) scores before the softmax, or (N, C, H, W), whose rows are pixels.
        teacher: same shape; no gradient reaches it.
        tau: temperature, above 0.
        beta: weight of the part between classes.
        gamma: weight of the part within classes.
        per_image: maps only: correlate within each image and average, instead of over all pixels of the batch.

    Returns:
        Scalar; 0 with a gradient path where there are no rows.

    Raises:
        ShapeError: the shapes differ, or have another number of axes.
        ConfigError: tau is not above 0.
    Source: DIST (2205.10536), equations 7 to 10; with τ² as in the authors' code.
    """
    same_shape(student, teacher)
    positive(tau, 'tau')
    if student.ndim not in ((4,) if per_image else (2, 4)):
        wanted = '(N, C, H, W)' if per_image else '(R, C) or (N, C, H, W)'
        raise ShapeError(f'student: expected class scores {wanted}, got {tuple(student.shape)}')
    with full_precision(student):
        ours, theirs = (
            _rows(softmax(widen(side) / tau, dim=1), per_image) for side in (student, teacher.detach())
        )  # (groups, R, C)
        between, within = _distance(ours, theirs, 2), _distance(ours, theirs, 1)
        return tau**2 * (beta * between + gamma * within)


def _rows(values: Tensor, per_image: bool) -> Tensor:
    """Return probabilities as (groups, rows, C): one group, or one an image."""
    if values.ndim == 2:
        return values.unsqueeze(0)
    rows = values.flatten(2).transpose(1, 2)  # (N, H*W, C)
    return rows if per_image else rows.flatten(0, 1).unsqueeze(0)


def _distance(ours: Tensor, theirs: Tensor, dim: int) -> Tensor:
    """Return the mean of 1 - Pearson's correlation along an axis."""
    if not ours.numel():
        return ours.sum()
    ours, theirs = ours - ours.mean(dim, keepdim=True), theirs - theirs.mean(dim, keepdim=True)
    sizes = vector_norm(ours, dim=dim), vector_norm(theirs, dim=dim)
    correlation = (ours * theirs).sum(dim) / (sizes[0].clamp(min=EPS) * sizes[1].clamp(min=EPS))
    distance = 1 - torch.where(sizes[0] > EPS, correlation, 0)
    return torch.where(sizes[1] > EPS, distance, 0).mean()
