"""Channel-wise distillation: where in the map each channel is active."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import log_softmax

from pointkd.core.check import check_shape
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, widen


def channel_wise(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Return the divergence of the channels' spatial distributions, student from teacher.

    Each channel becomes a distribution over its H·W positions, `p_c = softmax(y_c / τ)`, and

        `L = τ² / (N·C) · Σ_n Σ_c KL(p_T ‖ p_S)`.

    A constant added to a channel changes nothing: the loss sees where a channel is active, not how much.

    Args:
        student: (N, C, H, W).
        teacher: (N, C, H, W); no gradient reaches it.
        tau: temperature, above 0.

    Returns:
        Scalar; 0 with a gradient path for an empty batch.

    Raises:
        ShapeError: the shapes differ or have another number of axes.
        ConfigError: tau is not above 0.
    Source: CWD (2011.13256), equations 3 and 4; not divided by H·W, as in TorchDistiller and mmrazor.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
        >>> float(channel_wise(teacher + 5, teacher, 1.0))
        0.0
    """
    check_shape(student, 'N C H W', 'student')
    same_shape(student, teacher)
    positive(tau, 'tau')
    with full_precision(student):
        log_student = log_softmax(widen(student).flatten(2) / tau, dim=2)  # (N, C, H*W)
        log_teacher = log_softmax(widen(teacher.detach()).flatten(2) / tau, dim=2)
        divergence = (log_teacher.exp() * (log_teacher - log_student)).sum()
        return divergence * tau**2 / max(1, student.shape[0] * student.shape[1])
