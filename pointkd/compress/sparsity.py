"""Sparsity training: an L1 penalty on the scales of batch norms, which drives unimportant channels towards zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError, nearest

FILE = 'sparsity.json'  # the record of a sparsity training, beside its checkpoints
KINDS = ('subgradient', 'proximal')
BINS = 60  # of a histogram of |γ|
HIGHEST = 1.5  # upper end of the histogram; larger scales are counted in the last bin

SCHEDULES: dict[str, Callable[[float], float]] = {
    'falling': lambda done: 1 - 0.9 * done,  # the paper's formula
    'rising': lambda done: 0.1 + 0.9 * done,  # the paper's words
    'constant': lambda done: 1.0,
    'cosine': lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}


def rate(start: float, schedule: str, done: float) -> float:
    """Return the rate of the penalty when a share of the training is done.

    `falling` is λ(e) = λ₀ (1 − 0.9 e/E).

    Args:
        start: λ₀.
        schedule: `falling`, `rising`, `constant` or `cosine`.
        done: e/E, from 0 to 1.

    Raises:
        ConfigError: an unknown schedule.

    Source: arXiv 2509.12918, stage 1; its text calls the rate rising, its formula falls.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f'schedule {schedule!r}: {nearest(schedule, SCHEDULES)}')
    return start * SCHEDULES[schedule](min(max(done, 0.0), 1.0))


@torch.no_grad()
def add_subgradient(scales: Sequence[Tensor], strength: float) -> None:
    """Add λ sign(γ) to the gradients of scales, in place; sign(0) is 0.

    Comes after the gradients of the task are unscaled and clipped, right before the optimiser's step.

    Args:
        scales: parameters; one without a gradient gets one.
        strength: λ.
    """
    for scale in scales:
        penalty = strength * scale.detach().sign()
        scale.grad = penalty if scale.grad is None else scale.grad.add_(penalty)


@torch.no_grad()
def shrink(scales: Sequence[Tensor], threshold: float) -> None:
    """Soft-threshold scales in place: sign(γ) max(|γ| − t, 0), the proximal step of t |γ|; zeros are exact.

    Comes after the optimiser's step, with t = learning rate times λ.
    """
    for scale in scales:
        scale.copy_(torch.nn.functional.softshrink(scale, threshold))


def histogram(scales: Sequence[Tensor]) -> list[int]:
    """Return how many |γ| lie in each of 60 equal bins from 0 to 1.5; larger ones count in the last."""
    values = torch.cat([scale.detach().abs().flatten().float().cpu() for scale in scales])
    counts = torch.histc(values.clamp(max=HIGHEST), bins=BINS, min=0, max=HIGHEST)
    return [int(count) for count in counts]
