"""Scores of what the boundary metrics counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.evaluation.boundary.counts import BoundaryCounts


@dataclass(frozen=True)
class BoundaryScores:
    """Scores in 0..1 by class, NaN where undefined.

    Attributes:
        trimap_iou: (R, K), intersection over union within each trimap.
        f: (K,), F measure of the borders.
        boundary_iou: (K,), intersection over union of the inner bands.
    """

    trimap_iou: np.ndarray
    f: np.ndarray
    boundary_iou: np.ndarray


def scores(counts: BoundaryCounts) -> BoundaryScores:
    """Return the scores of counts over a whole set.

    A class that is predicted but never labelled has an IoU of 0 and counts in means; one that is neither is NaN.
    """
    return BoundaryScores(
        trimap_iou=np.stack([_iou(matrix) for matrix in counts.trimaps]),
        f=_ratio(counts.f_sums, counts.f_images),
        boundary_iou=_ratio(counts.both, counts.either),
    )


def mean_defined(values: np.ndarray) -> float | None:
    """Return the mean of the values that are not NaN, None where there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None


def _iou(matrix: np.ndarray) -> np.ndarray:
    """Return the IoU of each class from a confusion matrix (K, K+1)."""
    right = np.diagonal(matrix)
    return _ratio(right, matrix.sum(axis=1) + matrix[:, :-1].sum(axis=0) - right)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where whole is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
