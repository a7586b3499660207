"""Mean, spread and paired difference of a few runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """Runs of one row.

    Attributes:
        mean: of the runs.
        std: standard deviation (n - 1 in the denominator), None of a single run.
        n: number of runs.
    """

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Runs of one row against those of another, seed by seed.

    Attributes:
        mean: of the differences.
        half_width: of the 95 % interval of the mean by Student's t; None of a single pair.
        n: number of pairs.
    """

    mean: float
    half_width: float | None
    n: int


def spread(values: Sequence[float]) -> Spread | None:
    """Return mean and standard deviation, None of no runs.

    Example:
        >>> spread([1.0, 2.0, 3.0])
        Spread(mean=2.0, std=1.0, n=3)
    """
    if not values:
        return None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), std, len(values))


def paired_difference(values: Mapping[int, float], control: Mapping[int, float]) -> Difference | None:
    """Return how much a row exceeds another, over the seeds that both have; None where there are none.

    Args:
        values: of the row, by seed.
        control: of the other row, by seed.

    Example:
        >>> difference = paired_difference({0: 3.0, 1: 5.0}, {0: 1.0, 1: 2.0})
        >>> round(difference.mean, 3), round(difference.half_width, 3)  # t(0.975, 1) = 12.706
        (2.5, 6.353)
    """
    seeds = sorted(set(values) & set(control))
    if not seeds:
        return None
    differences = np.array([values[seed] - control[seed] for seed in seeds])
    n = len(differences)
    if n == 1:
        return Difference(float(differences[0]), None, 1)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return Difference(float(differences.mean()), quantile * float(differences.std(ddof=1)) / n**0.5, n)
