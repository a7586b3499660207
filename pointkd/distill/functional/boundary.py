"""Boundary-privileged distillation: class scores at the edges, spatial shape in the bodies."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional.checks import one_of, positive, same_shape
from pointkd.distill.functional.divergence import softmax_kl
from pointkd.distill.functional.precision import full_precision, widen

N_C = ('sum', 'nonzero')
OVER = ('sum', 'mean')


def boundary_edge(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    tau: float = 4.0,
    n_c: str = 'sum',
    *,
    alpha: float = 2.0,
    premask: bool = True,
    over: str = 'sum',
) -> Tensor:
    """Return the divergence of the pixels' class distributions at the edges, student from teacher.

    `L = α Σ_c 1/n_c Σ_i φ_i M_c,i` an image, with `φ_i = τ² KL(softmax_c(z_T/τ) ‖ softmax_c(z_S/τ))` at pixel i; the
    mean over images.

    Args:
        student: (N, C, H, W) class scores.
        teacher: same shape; no gradient reaches it.
        mask: (N, C, H, W) edge mask of each class, in [0, 1].
        tau: temperature, above 0.
        n_c: what a class is divided by, at least 1: the `sum` of its mask, or the number of its `nonzero` entries.
        alpha: factor α.
        premask: multiply scores by the mask before the softmax (the published form). A masked score becomes 0, which
            takes part in the softmax like any other. False compares the scores as they are; the mask only selects.
        over: `sum` over classes, or `mean` over the classes that have an edge in the image.

    Returns:
        Scalar; 0 with a gradient path where there are no edges.

    Raises:
        ShapeError: the shapes differ.
        ConfigError: a setting that means nothing.
    Source: BPKD (2306.08075), edge loss, in the form on which public re-implementations agree.
    """
    mask = _check(student, teacher, mask, tau)
    one_of(n_c, N_C, 'n_c')
    one_of(over, OVER, 'over')
    with full_precision(student):
        ours, theirs = widen(student), widen(teacher.detach())
        mask = mask.to(ours.dtype)
        if premask:
            ours, theirs = ours * mask, theirs * mask
        divergence = softmax_kl(ours / tau, theirs / tau, 1)  # (N, H, W)
        sizes = (mask if n_c == 'sum' else (mask > 0).to(mask.dtype)).sum((2, 3))  # (N, C)
        classes = torch.einsum('nhw,nchw->nc', divergence, mask) / sizes.clamp(min=1)
        images = classes.sum(1)
        if over == 'mean':
            images = images / (sizes > 0).sum(1).clamp(min=1)
        return alpha * tau**2 * images.sum() / max(1, len(images))


def boundary_body(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    tau: float = 4.0,
    *,
    premask: bool = True,
    labelled: Tensor | None = None,
) -> Tensor:
    """Return the divergence of the channels' spatial distributions away from the edges, student from teacher.

    `L = τ²/(N·C) Σ_n Σ_c KL(p_T,c ‖ p_S,c)` with a distribution over the positions of each channel. Published:
    `p_c = softmax_i(z_c,i M_c,i / τ)` with the body mask `M = 1 - mask`. Clean: `p_c,i ∝ M_c,i exp(z_c,i / τ)`, so
    that what lies at an edge has no probability, and a channel without a body counts as 0.

    Args:
        student: (N, C, H, W) class scores.
        teacher: same shape; no gradient reaches it.
        mask: (N, C, H, W) mask of the *edges*, the same as for `boundary_edge`, in [0, 1].
        tau: temperature, above 0.
        premask: the published form. A masked score becomes 0, which in a channel of negative scores is its maximum.
        labelled: clean form only: (N, 1, H, W) share of each cell that has a label; the rest is no body.

    Returns:
        Scalar; 0 with a gradient path where there is no body.

    Raises:
        ShapeError: the shapes differ.
        ConfigError: a setting that means nothing.
    Source: BPKD (2306.08075), body loss; channel-wise as in CWD (2011.13256).
    """
    mask = _check(student, teacher, mask, tau)
    if premask and labelled is not None:
        raise ConfigError('labelled: has no place in the published form; use premask=False')
    with full_precision(student):
        ours, theirs = widen(student), widen(teacher.detach())
        body = 1 - mask.to(ours.dtype)
        if premask:
            divergence = softmax_kl((ours * body / tau).flatten(2), (theirs * body / tau).flatten(2), 2).sum()
        else:
            body = body if labelled is None else (labelled - mask).to(ours.dtype).clamp(min=0)
            divergence = _weighted(ours.flatten(2) / tau, theirs.flatten(2) / tau, body.flatten(2))
        return divergence * tau**2 / max(1, student.shape[0] * student.shape[1])


def _weighted(ours: Tensor, theirs: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of divergences over channels (N, C, positions) whose positions have weights."""
    empty = ~(weights > 0).any(2)  # (N, C), channels that count as 0
    weights = torch.where(empty.unsqueeze(2), 1, weights)
    inside = weights > 0
    shift = torch.where(inside, weights, 1).log()
    lowest = torch.finfo(ours.dtype).min / 4  # probability 0 without the NaN of -inf - -inf
    student, teacher = (torch.where(inside, side + shift, lowest) for side in (ours, theirs))
    return torch.where(empty, 0, softmax_kl(student, teacher, 2)).sum()


def _check(student: Tensor, teacher: Tensor, mask: Tensor, tau: float) -> Tensor:
    """Return the mask without gradient, once everything fits."""
    check_shape(student, 'N C H W', 'student')
    same_shape(student, teacher)
    positive(tau, 'tau')
    if mask.shape != student.shape:
        raise ShapeError(
            f'mask: expected one value a score, {tuple(student.shape)}, got {tuple(mask.shape)}; '
            'bring masks and scores to the same size first'
        )
    return mask.detach()
