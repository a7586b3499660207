"""Divergences of class scores, and which scores are worth comparing."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from pointkd.core.errors import ConfigError
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, total_of, widen


def logit_kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Return the softmax divergence of class scores, student from teacher.

    `L = τ² · mean_rows KL(softmax(z_T/τ) ‖ softmax(z_S/τ))`, over rows of C scores that exclude each other.

    Args:
        student: (..., C) scores before the softmax.
        teacher: (..., C); no gradient reaches it.
        tau: temperature, above 0.

    Returns:
        Scalar; 0 with a gradient path where there are no rows.

    Raises:
        ShapeError: the shapes differ.
        ConfigError: tau is not above 0.
    Source: Hinton et al. (1503.02531), section 2; divided by the number of rows, never by C.
    """
    same_shape(student, teacher)
    positive(tau, 'tau')
    with full_precision(student):
        log_student = log_softmax(widen(student) / tau, dim=-1)
        log_teacher = log_softmax(widen(teacher.detach()) / tau, dim=-1)
        divergence = (log_teacher.exp() * (log_teacher - log_student)).sum()
    rows = student.numel() // max(1, student.shape[-1])
    return divergence * tau**2 / max(1, rows)


def sigmoid_kl(student: Tensor, teacher: Tensor, tau: float, weights: Tensor) -> Tensor:
    """Return the weighted mean divergence of scores whose classes do not exclude each other.

    `L = τ² · Σ_r m_r Σ_c KL(Bernoulli(σ(z_T/τ)) ‖ Bernoulli(σ(z_S/τ))) / Σ_r m_r`. Its gradient at a score is
    `τ · m_r (p_S - p_T) / Σ m`, so it is zero when student equals teacher (plain cross-entropy with soft targets has
    the same gradient and another constant).

    Args:
        student: (R, C) scores before the sigmoid.
        teacher: (R, C); no gradient reaches it.
        tau: temperature, above 0.
        weights: (R,) m_r >= 0, 0 leaves a row out; no gradient reaches it.

    Returns:
        Scalar; 0 with a gradient path where no row has a weight.

    Raises:
        ShapeError: the shapes differ.
        ConfigError: tau is not above 0.
    """
    same_shape(student, teacher)
    positive(tau, 'tau')
    with full_precision(student):
        scores, targets = widen(student) / tau, widen(teacher.detach()) / tau
        weights = weights.detach().to(scores.dtype)
        yes = targets.sigmoid() * (logsigmoid(targets) - logsigmoid(scores))
        no = (-targets).sigmoid() * (logsigmoid(-targets) - logsigmoid(-scores))
        divergence = ((yes + no).sum(-1) * weights).sum()
        return divergence * tau**2 / total_of(weights)


def confident(confidence: Tensor, *, threshold: float = 0.0, fraction: float = 1.0) -> Tensor:
    """Return which rows a teacher is sure enough about.

    Args:
        confidence: (R,) the teacher's largest class probability of each row.
        threshold: rows at or below it are left out.
        fraction: at most this part of the rows, the surest ones (at least one, and all that tie with the last).

    Returns:
        (R,) bool.

    Raises:
        ConfigError: fraction is not in (0, 1].

    Example:
        >>> confident(torch.tensor([0.9, 0.1, 0.5, 0.5]), threshold=0.2, fraction=0.5)
        tensor([ True, False,  True,  True])
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f'fraction: expected a number in (0, 1], got {fraction!r}')
    sure = confidence > threshold
    if fraction < 1 and len(confidence):
        last = confidence.topk(math.ceil(fraction * len(confidence)), sorted=True).values[-1]
        sure &= confidence >= last
    return sure
