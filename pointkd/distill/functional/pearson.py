"""Correlation of features: the student follows the teacher up to scale and offset of each channel."""

from __future__ import annotations

from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.distill.functional.checks import same_shape
from pointkd.distill.functional.precision import full_precision, widen

STATISTICS = {'batch': (0, 2, 3), 'sample': (2, 3)}
EPSILON = 1e-6


def pearson(student: Tensor, teacher: Tensor, statistics: str = 'batch') -> Tensor:
    """Return how far the channels of two maps are from being correlated.

    Each channel of each side is standardised, `ŷ = (y - mean) / (std + 1e-6)` with the unbiased deviation, and

        `L = ½ · mean (ŷ_S - ŷ_T)²`,

    which is 1 - r (Pearson's correlation, mean over channels) but for a factor (n-1)/n: 0 where they rise and fall
    together, 1 where they are unrelated, 2 where they are opposite.

    Args:
        student: (N, C, H, W).
        teacher: (N, C, H, W); no gradient reaches it.
        statistics: `'batch'` takes mean and deviation over N·H·W (as published), `'sample'` over H·W of each sample.

    Returns:
        Scalar; 0 with a gradient path where there are no elements. A constant channel counts as 0 everywhere.

    Raises:
        ShapeError: the shapes differ or have another number of axes.
        ConfigError: another word for `statistics`.
    Source: PKD (2207.02039), equations 3 to 5.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]], dtype=torch.float64)
        >>> round(float(pearson(10 * teacher - 7, teacher)), 6)
        0.0
    """
    check_shape(student, 'N C H W', 'student')
    same_shape(student, teacher)
    if statistics not in STATISTICS:
        raise ConfigError(f"statistics: expected 'batch' or 'sample', got {statistics!r}")
    if not student.numel():
        return student.sum()
    with full_precision(student):
        axes = STATISTICS[statistics]
        difference = _standardised(widen(student), axes) - _standardised(widen(teacher.detach()), axes)
        return 0.5 * difference.square().mean()


def _standardised(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return values with mean 0 and deviation 1 over some axes; a channel without spread becomes 0."""
    centred = values - values.mean(axes, keepdim=True)
    count = values.numel() // max(1, centred.sum(axes).numel())
    variance = centred.square().sum(axes, keepdim=True) / max(1, count - 1)
    flat = variance == 0  # the root has no derivative there
    deviation = variance.masked_fill(flat, 1.0).sqrt().masked_fill(flat, 0.0)
    return centred / (deviation + EPSILON)
