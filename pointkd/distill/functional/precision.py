"""Number formats: losses are computed in float32 or wider, whatever the networks run in."""

from __future__ import annotations

import torch
from torch import Tensor


def widen(values: Tensor) -> Tensor:
    """Return a tensor in float32, or as it is where it is float64 already.

    Half formats overflow in squares and sums (float16 at 65504) and lose small probabilities in a softmax.

    Example:
        >>> widen(torch.zeros(2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values if values.dtype == torch.float64 else values.float()


def full_precision(like: Tensor) -> torch.autocast:
    """Return a context in which autocast is off on the device of a tensor."""
    return torch.autocast(like.device.type, enabled=False)


def total_of(weights: Tensor) -> Tensor:
    """Return the sum of weights to divide by: 1 where all are 0 (a tiny number would make the gradient infinite)."""
    total = weights.sum()
    return torch.where(total > 0, total, 1.0)
