"""How many objects of which class come together at which scale: a Gaussian copula over the fitted margins.

Counts of the ten classes and the image's scale are normal variables with a correlation matrix, each bent to its own
margin. The correlation of bent variables is weaker than that of the normal ones, most of all where zero is frequent, so
`fit` corrects it by simulation.
"""

from __future__ import annotations

import math

import numpy as np

from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.measure import COUNT_LEVELS, LEVELS

ROUNDS, SIMULATED, STEP = 12, 12_000, 0.7
_phi = np.vectorize(lambda value: 0.5 * (1.0 + math.erf(value / math.sqrt(2.0))), otypes=[float])


def counts_of(uniform: np.ndarray, present: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Bend uniform variables to counts.

    Args:
        uniform: (..., 10) in 0..1.
        present: (10,) share of the images that show a class.
        quantiles: (10, Q) count in these images at COUNT_LEVELS.

    Returns:
        (..., 10) int.
    """
    result = np.zeros(uniform.shape, dtype=int)
    for column, (share, table) in enumerate(zip(present, quantiles, strict=True)):
        level = (uniform[..., column] - (1.0 - share)) / max(share, 1e-9)
        drawn = np.rint(np.interp(level, COUNT_LEVELS, table)).astype(int)
        result[..., column] = np.where(level > 0, np.maximum(drawn, 1), 0)
    return result


def draw(
    rng: np.random.Generator, correlation: np.ndarray, present: np.ndarray, quantiles: np.ndarray, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows that hold at least one object.

    Returns:
        counts: (rows, 10) int.
        level: (rows,) of the scale's variable, 0..1.
    """
    factor = np.linalg.cholesky(correlation)
    counts, level = np.zeros((rows, len(CLASSES)), dtype=int), np.zeros(rows)
    empty = np.ones(rows, dtype=bool)
    while empty.any():
        uniform = _phi(rng.standard_normal((int(empty.sum()), len(factor))) @ factor.T)
        counts[empty] = counts_of(uniform[:, :-1], present, quantiles)
        level[empty] = uniform[:, -1]
        empty = counts.sum(axis=1) == 0
    return counts, level


def fit(
    counts: np.ndarray, scale: np.ndarray, present: np.ndarray, quantiles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parameters with which drawn rows are correlated, and show the classes, as the given ones are.

    Args:
        counts: (M, 10) objects by image and class.
        scale: (M,) size of a car.
        present: as for `counts_of`.
        quantiles: as for `counts_of`.

    Returns:
        correlation: (11, 11) positive definite, ones on the diagonal; the scale is last.
        present: (10,) share of the rows that show a class before rows without any object are drawn again.
        scale: (Q,) the scale at LEVELS of its variable, again before that: rows without objects show large ones.
    """
    wanted = rank_correlation(np.column_stack([counts, scale]))
    correlation, share = wanted, present
    for turn in range(ROUNDS):
        drawn, level = draw(np.random.default_rng(turn), correlation, share, quantiles, SIMULATED)
        found = rank_correlation(np.column_stack([drawn, level]))
        correlation = nearest_correlation(correlation + STEP * (wanted - found))
        share = np.clip(share + STEP * (present - (drawn > 0).mean(axis=0)), 0.001, 0.999)
    below = (level[:, None] <= np.array(LEVELS)).mean(axis=0)
    return correlation, share, np.quantile(scale, below)


def rank_correlation(values: np.ndarray) -> np.ndarray:
    """Return the correlation of the columns' ranks (equal values share their mean rank)."""
    ranks = []
    for column in values.T:
        _, inverse, repeats = np.unique(column, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(repeats) - repeats / 2)[inverse])
    return np.asarray(np.corrcoef(np.array(ranks)))


def nearest_correlation(matrix: np.ndarray) -> np.ndarray:
    """Return a positive definite matrix with ones on the diagonal, close to a symmetric one."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    positive = (vectors * np.maximum(values, 0.02)) @ vectors.T
    spread = np.sqrt(np.diag(positive))
    return np.asarray(positive / np.outer(spread, spread))


def quantile(table: list[float], level: float) -> float:
    """Return the value at a level of a distribution of which quantiles at LEVELS are known (clipped outside)."""
    return float(np.interp(level, LEVELS, table))
