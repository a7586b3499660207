"""What the boundary metrics count: one image's counts, which add up over a set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pointkd.core.check import check_shape
from pointkd.core.errors import DataError, ShapeError
from pointkd.evaluation.boundary import counting
from pointkd.evaluation.boundary.borders import BLOCK, VOID, mark_borders, mark_distances, mark_void_blocks
from pointkd.evaluation.boundary.discs import disc, largest_square
from pointkd.evaluation.boundary.rules import BoundaryRules

MAX_CLASSES = VOID


@dataclass(frozen=True)
class BoundaryCounts:
    """Counts of some images, over K classes and R trimap radii.

    Attributes:
        trimaps: (R, K, K+1) int64, confusion within each radius, rows are labels; the last column: no class predicted.
        f_sums: (K,) float64, sum of F over the images where it is defined.
        f_images: (K,) int64, how many these are.
        both: (K,) int64, pixels in the inner bands of label and prediction.
        either: (K,) int64, pixels in one of them or both.
    """

    trimaps: np.ndarray
    f_sums: np.ndarray
    f_images: np.ndarray
    both: np.ndarray
    either: np.ndarray

    @classmethod
    def zero(cls, classes: int, rules: BoundaryRules) -> BoundaryCounts:
        """Return the counts of no image."""
        none = np.zeros(classes, np.int64)
        trimaps = np.zeros((len(rules.trimap_radii), classes, classes + 1), np.int64)
        return cls(trimaps, np.zeros(classes), none, none, none)

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        """Return the counts of the images of both."""
        return BoundaryCounts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


class Side:
    """Memory for the borders of one label image and for what lies near them; used again for the next image.

    Attributes:
        borders: (H, W) uint8, see `mark_borders`.
        squares: (H, W) uint16, see `mark_distances`, of the borders.
        bands: (H, W) bool, the inner bands.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.borders = np.empty(shape, np.uint8)
        self.squares = np.empty(shape, np.uint16)
        self.bands = np.empty(shape, np.bool_)
        self._void_blocks = np.empty((shape[0], -(-shape[1] // BLOCK)), np.bool_)

    def look_at(self, labels: np.ndarray, width: float, reach: float = 0.0) -> None:
        """Fill the arrays.

        Args:
            labels: (H, W) uint8, in C order.
            width: of the inner band, pixels.
            reach: up to here the distances are wanted, pixels; at least up to the band's width.
        """
        mark_borders(labels, self.borders)
        mark_distances(self.borders, max(1, math.floor(width), math.floor(reach)), self.squares)
        mark_void_blocks(labels, math.ceil(width), self._void_blocks)
        counting.mark_bands(labels, self.borders, self.squares, self._void_blocks, *disc(width), self.bands)


class BoundaryCounter:
    """Counts images for the boundary metrics, one after the other in the same memory; one for each thread.

    Args:
        classes: number of classes K, at most 255.
        rules: the distances.

    Raises:
        DataError: no class, or too many.
    """

    def __init__(self, classes: int, rules: BoundaryRules | None = None) -> None:
        if not 0 < classes <= MAX_CLASSES:
            raise DataError(f'classes: expected 1..{MAX_CLASSES}, got {classes}')
        self.classes = classes
        self.rules = rules or BoundaryRules()
        self._limits = np.array([largest_square(radius) for radius in self.rules.trimap_radii])
        self._resize((0, 0))

    def count(self, labels: np.ndarray, predictions: np.ndarray) -> BoundaryCounts:
        """Return the counts of one image.

        Args:
            labels: (H, W) uint8, 0..K-1, or VOID (255): such pixels take no part, whatever is predicted there.
            predictions: (H, W) uint8, 0..K-1, or VOID for none of the classes.

        Raises:
            ShapeError: the arrays are not of one size (H, W).
            DataError: another type than uint8, or a value that is neither a class nor VOID.
            ConfigError: the inner band is too wide, see `BoundaryRules`.
        """
        check_images(labels, predictions)
        labels, predictions = np.ascontiguousarray(labels), np.ascontiguousarray(predictions)
        if not labels.size:
            return BoundaryCounts.zero(self.classes, self.rules)
        if labels.shape != self._masked.shape:
            self._resize(labels.shape)
        labelled, predicted = counting.mask_and_survey(labels, predictions, self._masked)
        check_values(labelled, self.classes, 'labels')
        check_values(predicted, self.classes, 'predictions')
        width, tolerance = self.rules.band_width(*labels.shape), self.rules.tolerance
        self._truth.look_at(labels, width, max(self.rules.trimap_radii[-1], tolerance))
        self._guess.look_at(self._masked, width, tolerance)
        f, defined = f_measures(self._truth, self._guess, labelled[: self.classes], tolerance)
        both, either = counting.count_bands(self._truth.bands, labels, self._guess.bands, self._masked, self.classes)
        trimaps = counting.count_trimaps(self._truth.squares, self._limits, labels, self._masked, self.classes)
        return BoundaryCounts(trimaps, f, defined.astype(np.int64), both, either)

    def _resize(self, shape: tuple[int, ...]) -> None:
        """Take memory for images of a size."""
        height, width = shape
        self._masked = np.empty((height, width), np.uint8)
        self._truth, self._guess = Side((height, width)), Side((height, width))


def count_image(
    labels: np.ndarray, predictions: np.ndarray, classes: int, rules: BoundaryRules | None = None
) -> BoundaryCounts:
    """Return the counts of one image, as `BoundaryCounter.count`; for many images one counter is faster."""
    return BoundaryCounter(classes, rules).count(labels, predictions)


def f_measures(truth: Side, guess: Side, present: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the F measure of the borders of one image by class.

    Precision is the share of predicted border pixels that have a border pixel of the same class in the labels within
    the tolerance, recall the share of the labels' that have one in the prediction; F = 2PR / (P + R), and 0 where one
    of both has none. Where neither has a border pixel of the class, there is nothing to compare.

    Args:
        truth: of the labels, with distances up to the tolerance at least.
        guess: of the predictions, likewise.
        present: (K,) bool, whether the class occurs in the labels.
        tolerance: pixels.

    Returns:
        (K,) float64, F in 0..1, 0 where undefined; (K,) bool, where it is defined.

    Source: Csurka, Larlus, Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
    """
    around, classes = disc(tolerance), present.size
    labelled, recalled = counting.count_matched(truth.borders, guess.borders, guess.squares, *around, classes)
    predicted, confirmed = counting.count_matched(guess.borders, truth.borders, truth.squares, *around, classes)
    defined = present & (labelled + predicted > 0)
    precision, recall = confirmed / np.maximum(predicted, 1), recalled / np.maximum(labelled, 1)
    total = precision + recall
    f = np.where(defined & (total > 0), 2 * precision * recall / np.where(total > 0, total, 1), 0.0)
    return f, defined


def check_images(labels: np.ndarray, predictions: np.ndarray) -> None:
    """Check type and size of two label images.

    Raises:
        ShapeError, DataError: see `BoundaryCounter.count`.
    """
    check_shape(labels, 'H W', 'labels')
    check_shape(predictions, 'H W', 'predictions')
    if labels.shape != predictions.shape:
        raise ShapeError(f'predictions: expected the size of the labels {labels.shape}, got {predictions.shape}')
    for name, image in (('labels', labels), ('predictions', predictions)):
        if image.dtype != np.uint8:
            raise DataError(f'{name}: expected uint8, a class or {VOID} for none, got {image.dtype}')


def check_values(present: np.ndarray, classes: int, name: str) -> None:
    """Check that nothing but classes and VOID occurs.

    Args:
        present: (256,) bool, by value.
        classes: number of classes.
        name: what the image is called.

    Raises:
        DataError: another value.
    """
    wrong = np.flatnonzero(present[classes:VOID])
    if wrong.size:
        raise DataError(f'{name}: expected 0..{classes - 1}, or {VOID} for none, got {classes + wrong[0]}')
