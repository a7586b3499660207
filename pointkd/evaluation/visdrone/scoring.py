"""From labels and detections to the numbers of the benchmark, by class and by size of object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pointkd.core.visdrone import CATEGORY, HEIGHT, WIDTH
from pointkd.evaluation.visdrone import matching
from pointkd.evaluation.visdrone.rows import RowTable
from pointkd.evaluation.visdrone.rules import AP50, AP75, CLASSES, LIMITS, METRICS, SIZES, THRESHOLDS

Numbers = dict[str, float | None]  # by METRICS, percent, None where undefined
Report = dict[str, Any]
_EVERYTHING = (-np.inf, np.inf)


@dataclass(frozen=True)
class ClassNumbers:
    """AP and AR of every class.

    Attributes:
        precision: (C, N, T) average precision, 0 to 1, by class, limit and threshold.
        recall: (C, N, T) greatest recall.
        images: (C,) int64, images in which the class has a label: its weight in the mean.
        labels: (C,) int64, labels, those to be ignored included.
    """

    precision: np.ndarray
    recall: np.ndarray
    images: np.ndarray
    labels: np.ndarray

    def of(self, class_: int) -> Numbers:
        """Return the numbers of one class, None where it has no label."""
        weights = np.zeros(len(CLASSES), np.int64)
        weights[class_] = self.images[class_] > 0
        return self.mean(weights)

    def mean(self, weights: np.ndarray) -> Numbers:
        """Return the mean over the classes with the weights (C,) given, None where they are all 0."""
        if not weights.any():
            return dict.fromkeys(METRICS)
        precision = 100.0 * np.average(self.precision[:, -1], axis=0, weights=weights)
        recall = 100.0 * np.average(self.recall, axis=0, weights=weights).mean(axis=1)
        values = [precision.mean(), precision[AP50], precision[AP75], *recall]
        return {name: float(value) for name, value in zip(METRICS, values, strict=True)}


@dataclass(frozen=True)
class Sides:
    """Labels and detections of the evaluated classes, grouped by image and class for the matching.

    Attributes:
        labels: rows of the ten classes.
        detections: rows of the ten classes.
        places: (D,) place of each detection among all rows of its image, categories that are not evaluated included.
        sorted_detections: (D,) int64, detections by group, in each by falling score.
        detection_starts: (G+1,) int64.
    """

    labels: RowTable
    detections: RowTable
    places: np.ndarray
    sorted_detections: np.ndarray
    detection_starts: np.ndarray

    @classmethod
    def of(cls, labels: RowTable, detections: RowTable) -> Sides:
        """Group labels and detections, without ignored regions and what lies in them."""
        chosen = detections.classes >= 0
        table = detections.only(chosen)
        keys = _group_keys(table)
        order = np.lexsort((-table.scores, keys))  # stable: equal scores stay in the order of the file
        starts = _group_starts(keys[order], table)
        return cls(labels.only(labels.classes >= 0), table, detections.places[chosen], order, starts)

    def evaluate(self, areas: tuple[float, float] = _EVERYTHING) -> ClassNumbers:
        """Return the numbers of all classes for objects of an area range, square pixels, from and below.

        Labels outside the range count neither way, nor do detections outside it that match nothing.
        """
        inside = _area_within(self.labels, areas)
        kinds = np.where(self.labels.scores == 0, matching.IGNORED, matching.ORDINARY)
        kinds[~inside] = matching.OTHER_SIZE
        keys = _group_keys(self.labels)
        order = np.lexsort((kinds != matching.ORDINARY, keys))
        sorted_ = self.sorted_detections
        outcomes = matching.match(
            self.labels.boxes[order],
            kinds[order],
            _group_starts(keys[order], self.labels),
            self.detections.boxes[sorted_],
            self.places[sorted_],
            ~_area_within(self.detections, areas)[sorted_],
            self.detection_starts,
            THRESHOLDS,
            LIMITS,
        )
        return self._numbers(outcomes, inside)

    def _numbers(self, outcomes: np.ndarray, inside: np.ndarray) -> ClassNumbers:
        """Return the numbers that outcomes (N, T, D), in sorted order, give; inside (L,): labels that count."""
        shape = (len(CLASSES), len(LIMITS), len(THRESHOLDS))
        precision, recall = np.zeros(shape), np.zeros(shape)
        images, labels = np.zeros(len(CLASSES), np.int64), np.zeros(len(CLASSES), np.int64)
        classes = self.detections.classes[self.sorted_detections]
        scores = self.detections.scores[self.sorted_detections]
        label_classes, label_images = self.labels.classes, self.labels.images
        for class_ in range(len(CLASSES)):
            own = (label_classes == class_) & inside
            labels[class_], images[class_] = own.sum(), np.unique(label_images[own]).size
            members = np.flatnonzero(classes == class_)
            order = members[np.argsort(-scores[members], kind='stable')]
            precision[class_], recall[class_] = matching.curve_numbers(outcomes, order, labels[class_])
        return ClassNumbers(precision, recall, images, labels)


def score(labels: RowTable, detections: RowTable) -> Report:
    """Evaluate detections.

    Args:
        labels: rows without ignored regions and what lies in them.
        detections: likewise, of the same images.

    Returns:
        The numbers of `METRICS`, percent, None where no class has a label; `classes`: the same for each class, with
        its `images`, `labels`, `detections`; `sizes`: the same for small, medium and large objects, with `labels`;
        `plain_mean`: each class counted once.
    """
    sides = Sides.of(labels, detections)
    numbers = sides.evaluate()
    detected = np.bincount(sides.detections.classes, minlength=len(CLASSES))
    report: Report = dict(numbers.mean(numbers.images))
    report['classes'] = {
        name: {
            **numbers.of(class_),
            'images': int(numbers.images[class_]),
            'labels': int(numbers.labels[class_]),
            'detections': int(detected[class_]),
        }
        for class_, name in enumerate(CLASSES)
    }
    report['sizes'] = {}
    for name, areas in SIZES.items():
        of_size = sides.evaluate(areas)
        report['sizes'][name] = {**of_size.mean(of_size.images), 'labels': int(of_size.labels.sum())}
    report['plain_mean'] = numbers.mean(np.minimum(numbers.images, 1))
    return report


def count_unknown(rows: RowTable) -> int:
    """Return the number of rows whose category the benchmark does not know (it knows the whole numbers 0 to 11)."""
    categories = rows.values[:, CATEGORY]
    known = (categories >= 0) & (categories <= len(CLASSES) + 1) & (categories == np.floor(categories))
    return int((~known).sum())


def _area_within(rows: RowTable, areas: tuple[float, float]) -> np.ndarray:
    """Return (N,) bool, which boxes have an area from the first to below the second number."""
    with np.errstate(over='ignore'):
        area = np.nan_to_num(rows.values[:, WIDTH] * rows.values[:, HEIGHT])  # so that "below infinity" holds for all
    within: np.ndarray = (area >= areas[0]) & (area < areas[1])
    return within


def _group_keys(rows: RowTable) -> np.ndarray:
    """Return (N,) int64, number of the group of each row: one an image and class."""
    return rows.images * len(CLASSES) + rows.classes


def _group_starts(sorted_keys: np.ndarray, rows: RowTable) -> np.ndarray:
    """Return (G+1,) int64, first row of each group."""
    return np.searchsorted(sorted_keys, np.arange((len(rows.starts) - 1) * len(CLASSES) + 1))
