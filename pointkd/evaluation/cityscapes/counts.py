"""What the Cityscapes metric counts: one image's counts, which add up over a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.core.errors import DataError, ShapeError
from pointkd.evaluation.boundary import BoundaryCounter, BoundaryCounts, BoundaryRules
from pointkd.evaluation.cityscapes import counting
from pointkd.evaluation.cityscapes.rules import (
    CATEGORY_OF_ID,
    CLASS_IDS,
    CLASSES,
    EVALUATED,
    FIRST_INSTANCE,
    IDS,
    IDS_A_CLASS,
    INSTANCE_CATEGORIES,
    MEAN_SIZES,
    TRAIN_IDS,
    VOID,
)

_CLASSES_OF_VALUES = (1 << 16) // IDS_A_CLASS + 1  # classes that values of 16 bits can speak of
_WEIGHTS = np.zeros(_CLASSES_OF_VALUES)
_WEIGHTS[[CLASS_IDS[name] for name in MEAN_SIZES]] = list(MEAN_SIZES.values())
_WITHOUT = np.zeros(_CLASSES_OF_VALUES, np.bool_)  # classes that may have no instance; the ignored ones may, unread
_WITHOUT[EVALUATED], _WITHOUT[IDS:] = _WEIGHTS[EVALUATED] == 0, True


@dataclass(frozen=True)
class CityscapesCounts:
    """Counts of some images.

    Attributes:
        images: how many.
        confusion: (34, 34) int64, rows are labels, columns predictions.
        instances: (34, 2) float64, weighted pixels of instances by class id: right, wrong.
        categories: (2, 2) float64, the same by category (human, vehicle).
        boundary: counts of the boundary metrics, None where they were not asked for.
    """

    images: int
    confusion: np.ndarray
    instances: np.ndarray
    categories: np.ndarray
    boundary: BoundaryCounts | None

    @classmethod
    def zero(cls, boundary: bool) -> CityscapesCounts:
        """Return the counts of no image."""
        instances, categories = np.zeros((IDS, 2)), np.zeros((len(INSTANCE_CATEGORIES), 2))
        borders = BoundaryCounts.zero(len(CLASSES), BoundaryRules()) if boundary else None
        return cls(0, np.zeros((IDS, IDS), np.int64), instances, categories, borders)

    def __add__(self, other: CityscapesCounts) -> CityscapesCounts:
        """Return the counts of the images of both."""
        return CityscapesCounts(
            images=self.images + other.images,
            confusion=self.confusion + other.confusion,
            instances=self.instances + other.instances,
            categories=self.categories + other.categories,
            boundary=self.boundary + other.boundary if self.boundary and other.boundary else None,
        )


class CityscapesCounter:
    """Counts images one after the other in the same memory; one for each thread.

    Args:
        boundary: also count for the boundary metrics.
    """

    def __init__(self, boundary: bool = True) -> None:
        self._boundary = BoundaryCounter(len(CLASSES)) if boundary else None
        self._train_ids = np.empty((2, 0, 0), np.uint8)
        self._of_instances = np.empty((1 << 16, 3), np.int64)

    def count(
        self, labels: np.ndarray, predictions: np.ndarray, instances: np.ndarray | None = None
    ) -> CityscapesCounts:
        """Return the counts of one image.

        Args:
            labels: (H, W) uint8 or uint16, ids 0..33 (not train ids).
            predictions: (H, W), likewise.
            instances: (H, W) uint16, class id * 1000 + number for objects labelled one by one, else at most 1000.

        Raises:
            ShapeError: the arrays are not of one size.
            DataError: a value that is no id, or an instance of a class that has none.
        """
        labels, predictions = as_ids(labels, 'label'), as_ids(predictions, 'prediction')
        for name, image in (('prediction', predictions), ('instance image', instances)):
            if image is not None and image.shape != labels.shape:
                raise ShapeError(f'{name}: expected the size of the label {_size(labels)}, got {_size(image)}')
        if self._train_ids.shape[1:] != labels.shape:
            self._train_ids = np.empty((2, *labels.shape), np.uint8)
        counts = CityscapesCounts.zero(boundary=False)
        train_labels, train_predictions = self._train_ids
        if labels.size:
            counting.count_pairs(labels, predictions, TRAIN_IDS, counts.confusion, train_labels, train_predictions)
        by_class, by_category = counts.instances, counts.categories
        if instances is not None:
            by_class, by_category = self._weigh(instances, predictions)
        borders = self._boundary.count(train_labels, train_predictions) if self._boundary else None
        return CityscapesCounts(1, counts.confusion, by_class, by_category, borders)

    def _weigh(self, instances: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted right and wrong pixels of the instances, by class id and by category."""
        instances = np.ascontiguousarray(instances, np.uint16)
        counting.count_instances(
            instances, predictions, CATEGORY_OF_ID, FIRST_INSTANCE, IDS_A_CLASS, self._of_instances
        )
        values = np.flatnonzero(self._of_instances[:, 0])
        own = values // IDS_A_CLASS
        if _WITHOUT[own].any():
            value = values[_WITHOUT[own]][0]
            raise DataError(f'instance image: {value} is no instance, as class {value // IDS_A_CLASS} has none')
        values, own = values[_WEIGHTS[own] > 0], own[_WEIGHTS[own] > 0]
        pixels, right, right_category = self._of_instances[values].T
        weights = _WEIGHTS[own] / pixels
        by_class = [np.bincount(own, weights * part, IDS) for part in (right, pixels - right)]
        places, many = CATEGORY_OF_ID[own], len(INSTANCE_CATEGORIES)
        by_category = [np.bincount(places, weights * part, many) for part in (right_category, pixels - right_category)]
        return np.stack(by_class, axis=1), np.stack(by_category, axis=1)


def as_ids(image: np.ndarray, name: str) -> np.ndarray:
    """Return an image of ids as (H, W) uint8, in C order.

    Raises:
        ShapeError: another number of axes.
        DataError: not whole numbers, or a value that is no id.
    """
    if image.ndim != 2:
        raise ShapeError(f'{name}: expected one channel, got an array of shape {image.shape}')
    if not np.issubdtype(image.dtype, np.integer):
        raise DataError(f'{name}: expected whole numbers, got {image.dtype}')
    least, greatest = (int(image.min()), int(image.max())) if image.size else (0, 0)
    if least < 0 or greatest >= IDS:
        wrong = least if least < 0 else greatest
        hint = '; 255 is a train id: ids are wanted here' if wrong == VOID else ''
        raise DataError(f'{name}: expected ids 0..{IDS - 1}, got {wrong}{hint}')
    return np.ascontiguousarray(image, np.uint8)


def _size(image: np.ndarray) -> str:
    """Return width x height."""
    return ' x '.join(str(length) for length in image.shape[::-1])
