"""Masked generative distillation: which cells are hidden, and how far what was generated is from the teacher."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.functional.checks import same_shape
from pointkd.distill.functional.precision import full_precision, widen


def random_cells(shape: tuple[int, int, int], hidden: float, generator: torch.Generator) -> Tensor:
    """Return which cells are kept: each is hidden with a probability, all channels together.

    Args:
        shape: N, H, W.
        hidden: probability, in [0, 1).
        generator: random source, on the CPU.

    Returns:
        (N, 1, H, W) bool, on the CPU, so that it is the same on every device.

    Raises:
        ConfigError: the probability is out of range.
    """
    if not 0 <= hidden < 1:
        raise ConfigError(f'hidden: expected a probability in [0, 1), got {hidden!r}')
    return torch.rand(shape, generator=generator).unsqueeze(1) >= hidden


def generation_error(generated: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared difference, summed over a sample, mean over samples.

    Args:
        generated: (N, C, H, W).
        teacher: same shape; no gradient reaches it.

    Returns:
        Scalar; 0 with a gradient path for an empty batch.

    Raises:
        ShapeError: the shapes differ.
    Source: MGD (2205.01529), equation 4; the sum, not the mean, as its weights ask for.
    """
    same_shape(generated, teacher)
    with full_precision(generated):
        return (widen(generated) - widen(teacher.detach())).square().sum() / max(1, len(generated))
