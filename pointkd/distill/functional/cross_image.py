"""Cross-image relations: how pixels relate to pixels of other images, and to remembered ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional.checks import positive
from pointkd.distill.functional.divergence import softmax_kl
from pointkd.distill.functional.pair_wise import check_places
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.functional.similarity import unit


def pixel_relations(student: Tensor, teacher: Tensor, tau: float = 0.1, pool: int = 1) -> Tensor:
    """Return the divergence of each pixel's relations to the pixels of every image of the batch.

    For each ordered pair of images (i, j), an image and itself included, a pixel of i has the distribution
    `softmax(cosines to all pixels of j / τ)`. `L` is the mean of `KL(p_T ‖ p_S)` over pixels and pairs.

    Args:
        student: (N, C, H, W).
        teacher: (N, C', H, W), any width; no gradient reaches it.
        tau: temperature, above 0.
        pool: side of the cells that are averaged first.

    Returns:
        Scalar; 0 with a gradient path for an empty batch.

    Raises:
        ShapeError: the maps differ in more than width.
        ConfigError: tau or pool mean nothing.
    Cost: memory of a few matrices (N*P)², P pixels after pooling.
    Source: CIRKD (2204.06986), mini-batch pixel-to-pixel part; without τ², as in the authors' code.
    """
    check_shape(student, 'N C H W', 'student')
    check_places(student, teacher)
    positive(tau, 'tau')
    if isinstance(pool, bool) or not isinstance(pool, int) or pool < 1:
        raise ConfigError(f'pool: expected a whole number of cells, got {pool!r}')
    if not student.numel():
        return student.sum()
    with full_precision(student):
        ours, theirs = (_pixels(widen(side), pool) for side in (student, teacher.detach()))  # (N, P, C)
        total = ours.new_zeros(())
        for one in range(len(ours)):  # an image's relations at once, to all images: (N, P, P)
            student, teacher = (side[one] @ side.transpose(1, 2) / tau for side in (ours, theirs))
            total = total + softmax_kl(student, teacher, -1).sum()
        return total / (len(ours) ** 2 * ours.shape[1])


def memory_relations(student: Tensor, teacher: Tensor, keys: Tensor, tau: float = 0.1) -> Tensor:
    """Return the divergence of rows' relations to remembered features.

    `L = mean_rows KL(softmax(cosines_T / τ) ‖ softmax(cosines_S / τ))` over the keys.

    Args:
        student: (P, C).
        teacher: (P, C); no gradient reaches it.
        keys: (K, C) of unit length; no gradient reaches them.
        tau: temperature, above 0.

    Returns:
        Scalar; 0 with a gradient path where there are no rows or no keys.

    Raises:
        ShapeError: rows and keys have unequal widths.
        ConfigError: tau is not above 0.
    Cost: memory of a few matrices (P, K).
    Source: CIRKD (2204.06986), memory-based parts.
    """
    positive(tau, 'tau')
    if student.ndim != 2 or student.shape != teacher.shape or keys.ndim != 2 or keys.shape[1] != student.shape[1]:
        raise ShapeError(
            f'expected student and teacher rows (P, C) and keys (K, C), got {tuple(student.shape)}, '
            f'{tuple(teacher.shape)} and {tuple(keys.shape)}; memory needs equal widths'
        )
    if not student.numel() or not len(keys):
        return widen(student).sum() * 0
    with full_precision(student):
        keys = keys.detach().to(widen(student).dtype)
        ours, theirs = (unit(widen(side), 1) @ keys.t() / tau for side in (student, teacher.detach()))
        return softmax_kl(ours, theirs, -1).mean()


def _pixels(values: Tensor, pool: int) -> Tensor:
    """Return the directions of a map's pixels (N, P, C), averaged over cells first."""
    if pool > 1:
        values = avg_pool2d(values, pool, ceil_mode=True)
    return unit(values.flatten(2).transpose(1, 2), 2)


@torch.no_grad()
def first_in_class(labels: Tensor, classes: int, limit: int, order: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return up to so many rows of each class, in an order given.

    Args:
        labels: (P,) int64, 0..classes-1; other values belong to no class.
        classes: number of classes.
        limit: rows of a class.
        order: (P,) int64, a permutation: who comes first.

    Returns:
        rows (M,) int64, their class (M,) and their place among the chosen of the class (M,), 0..limit-1.
    """
    order = order[(labels[order] >= 0) & (labels[order] < classes)]
    order = order[labels[order].argsort(stable=True)]
    sizes = labels[order].bincount(minlength=classes)
    rank = torch.arange(len(order), device=labels.device) - (sizes.cumsum(0) - sizes)[labels[order]]
    kept = rank < limit
    return order[kept], labels[order][kept], rank[kept]
