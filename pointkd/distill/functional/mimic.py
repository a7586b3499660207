"""Feature mimicking: the plainest loss between two features."""

from __future__ import annotations

from torch import Tensor

from pointkd.distill.functional.checks import same_shape
from pointkd.distill.functional.precision import widen


def feature_mimic(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of two features.

    `L = mean (F_S - F_T)²` over all elements and channels.

    Args:
        student: any shape.
        teacher: same shape; no gradient reaches it.

    Returns:
        Scalar; 0 with a gradient path where there are no elements.

    Raises:
        ShapeError: the shapes differ.
    Source: FitNets (1412.6550), equation 3, without its regressor (the connector does that).
    """
    same_shape(student, teacher)
    difference = widen(student) - widen(teacher.detach())
    return difference.square().mean() if difference.numel() else difference.sum()
