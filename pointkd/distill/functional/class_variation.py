"""Intra-class feature variation: how far each pixel is from the centre of its class."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.distill.functional.edges import check_labels
from pointkd.distill.functional.pair_wise import check_places
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.functional.similarity import cosine


def intra_class_variation(
    student: Tensor, teacher: Tensor, labels: Tensor, classes: int, ignore: int | None = 255
) -> Tensor:
    """Return the mean squared difference of the pixels' cosines to the centres of their classes.

    A class's centre is the mean feature of its pixels in the image, on each side its own. Ignored pixels are their own
    centre: their cosine is 1 on both sides, so they count as 0 in the mean over all pixels.

    Args:
        student: (N, C, H, W).
        teacher: (N, C', H, W), any width; no gradient reaches it.
        labels: (N, H, W) whole numbers at the features' size, 0..classes-1 or `ignore`.
        classes: number of classes.
        ignore: label of pixels without a class; None where there is none.

    Returns:
        Scalar; 0 with a gradient path where no pixel has a class.

    Raises:
        ShapeError: the maps differ in more than width, or the labels are of another size.
        DataError: labels out of range.
    Source: IFVD (ECCV 2020), equations 2 to 4.
    """
    check_shape(student, 'N C H W', 'student')
    check_places(student, teacher)
    places = (student.shape[0], *student.shape[2:])
    if tuple(labels.shape) != places:
        raise ShapeError(
            f'labels: expected the size of the features, {places}, got {tuple(labels.shape)}; '
            'bring them to it with `nearest_labels`'
        )
    check_labels(labels, classes, ignore)
    with full_precision(student):
        labels = labels.long().flatten()
        known = (labels != (-1 if ignore is None else ignore)).nonzero().flatten()
        image = torch.arange(len(labels), device=labels.device) // max(1, labels.numel() // max(1, len(student)))
        groups = (image * classes + labels)[known]
        ours, theirs = (
            _cosines(side.flatten(2).transpose(1, 2).flatten(0, 1)[known], groups, len(student) * classes)
            for side in (widen(student), widen(teacher.detach()))
        )
        return (ours - theirs).square().sum() / max(1, len(labels))


def _cosines(rows: Tensor, groups: Tensor, count: int) -> Tensor:
    """Return the cosine of each row (P, C) to the mean of its group."""
    sums = rows.new_zeros((count, rows.shape[1])).index_add(0, groups, rows)
    sizes = groups.bincount(minlength=count).clamp(min=1)
    return cosine(rows, (sums / sizes[:, None])[groups], 1)
