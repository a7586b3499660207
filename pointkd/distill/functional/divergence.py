"""The divergence of two softmaxes, which several losses are made of."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import log_softmax


def softmax_kl(student: Tensor, teacher: Tensor, dim: int) -> Tensor:
    """Return `KL(softmax(teacher) ‖ softmax(student))` along an axis, which goes away.

    Args:
        student: scores of any shape, at the width they are computed in.
        teacher: same shape.
        dim: axis of the distributions.

    Example:
        >>> import torch
        >>> softmax_kl(torch.tensor([[5.0, 5.0]]), torch.zeros(1, 2), 1)
        tensor([0.])
    """
    log_student, log_teacher = log_softmax(student, dim), log_softmax(teacher, dim)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(dim)
