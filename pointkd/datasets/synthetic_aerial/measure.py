"""What annotations of square images say about a data set, in aggregates: counts, sizes, spacing, occlusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_aerial.classes import CLASSES, CYCLES, IGNORED, PERSONS, VEHICLES, category

COUNT_LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.998)
LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
GROUPS = {'persons': PERSONS, 'cycles': CYCLES, 'vehicles': VEHICLES}
CUT_SHARE = 0.5  # an object of which less than this lies in the image is no object but an ignored region
MIN_PERSONS = 3  # pedestrians in an image before their median shape says how steeply the camera looks


@dataclass(frozen=True)
class Labels:
    """The annotation of one square image.

    Attributes:
        boxes: (N, 4) float, x y w h in shares of the image's side.
        categories: (N,) int, 0 to 11.
        truncation: (N,) int, 0 or 1.
        occlusion: (N,) int, 0 to 2.
    """

    boxes: np.ndarray
    categories: np.ndarray
    truncation: np.ndarray
    occlusion: np.ndarray

    def sizes(self) -> np.ndarray:
        """Return (N,) square roots of the boxes' areas, in shares of the image's side."""
        return np.sqrt(self.boxes[:, 2] * self.boxes[:, 3])

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Return (N,) bool: which objects belong to the classes."""
        return np.isin(self.categories, [category(name) for name in names])


def count_table(images: Sequence[Labels]) -> np.ndarray:
    """Return (M, 10) int: objects by image and class."""
    rows = [np.bincount(labels.categories, minlength=12)[1:11] for labels in images]
    return np.array(rows, dtype=int).reshape(-1, len(CLASSES))


def relative_sizes(images: Sequence[Labels]) -> dict[str, float]:
    """Return each class's size in cars: the median ratio over images that show both (1 where none does)."""
    ratios: dict[str, list[float]] = {name: [] for name in CLASSES}
    for labels in images:
        sizes, cars = labels.sizes(), labels.of(['car'])
        if not cars.any():
            continue
        for name in CLASSES:
            own = labels.of([name])
            if own.any():
                ratios[name].append(float(np.median(sizes[own]) / np.median(sizes[cars])))
    return {name: round(float(np.median(found)), 3) if found else 1.0 for name, found in ratios.items()}


def scales(images: Sequence[Labels], relative: dict[str, float]) -> np.ndarray:
    """Return (M,) the size a car has or would have in each image, in shares of its side; NaN without objects."""
    by_category = np.array([np.nan, *(relative[name] for name in CLASSES), np.nan])
    result = np.full(len(images), np.nan)
    for number, labels in enumerate(images):
        known = labels.of(CLASSES)
        if known.any():
            result[number] = np.median(labels.sizes()[known] / by_category[labels.categories[known]])
    return result


def uprightness(images: Sequence[Labels]) -> np.ndarray:
    """Return (K,) the median height over width of pedestrians, of the images that show enough of them."""
    found = []
    for labels in images:
        own = labels.of(['pedestrian']) & (labels.truncation == 0)
        if own.sum() >= MIN_PERSONS:
            found.append(float(np.median(labels.boxes[own, 3] / labels.boxes[own, 2])))
    return np.array(found)


def spacing(images: Sequence[Labels], names: Sequence[str]) -> np.ndarray:
    """Return, for every object with a neighbour of its group, the distance of centres to the nearest in own sizes."""
    found = []
    for labels in images:
        own = labels.of(names)
        if own.sum() < 2:
            continue
        centres = labels.boxes[own, :2] + labels.boxes[own, 2:] / 2
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        np.fill_diagonal(gaps, np.inf)
        found.append(gaps.min(axis=1) / labels.sizes()[own])
    return np.concatenate(found) if found else np.zeros(0)


def describe(images: Sequence[Labels]) -> dict[str, object]:
    """Return the aggregates of a set of images, ready for JSON.

    Returns:
        `images`, `objects`; `class_share` of the objects, `present` (share of the images that show a class), `counts`
        (quantiles of the number in these images), `total` (of objects an image), `together[a][b]` (share of the images
        with a that also show b); `relative_size`, `scale`, `upright`; by class `size` and `aspect` (width over height)
        quantiles, `occlusion` shares of the levels 0 to 2, `truncation` share; by group `spacing`; `ignored` (share of
        the images with an ignored region). Quantiles are at `LEVELS`, those of counts at `COUNT_LEVELS`.
    """
    table = count_table(images)
    relative = relative_sizes(images)
    scale = scales(images, relative)
    return {
        'images': len(images),
        'objects': int(table.sum()),
        'class_share': _by_class(table.sum(axis=0) / max(table.sum(), 1)),
        'present': _by_class((table > 0).mean(axis=0) if len(table) else np.zeros(len(CLASSES))),
        'counts': {
            name: _quantiles(column[column > 0], COUNT_LEVELS) for name, column in zip(CLASSES, table.T, strict=True)
        },
        'total': _quantiles(table.sum(axis=1), COUNT_LEVELS),
        'together': _together(table),
        'relative_size': relative,
        'scale': _quantiles(scale[np.isfinite(scale)]),
        'upright': _quantiles(uprightness(images)),
        **_objects(images),
        'spacing': {group: _quantiles(spacing(images, names)) for group, names in GROUPS.items()},
        'ignored': round(
            float(np.mean([bool(np.any(labels.categories == IGNORED)) for labels in images] or [False])), 3
        ),
    }


def _objects(images: Sequence[Labels]) -> dict[str, object]:
    """Return the aggregates that concern single objects, by class."""
    categories, sizes, aspects, truncation, occlusion = (
        np.concatenate([np.zeros(0), *parts])
        for parts in (
            [labels.categories for labels in images],
            [labels.sizes() for labels in images],
            [labels.boxes[:, 2] / labels.boxes[:, 3] for labels in images],
            [labels.truncation for labels in images],
            [labels.occlusion for labels in images],
        )
    )
    own = {name: categories == category(name) for name in CLASSES}
    return {
        'size': {name: _quantiles(sizes[rows]) for name, rows in own.items()},
        'aspect': {name: _quantiles(aspects[rows]) for name, rows in own.items()},
        'occlusion': {name: _shares(occlusion[rows], 3) for name, rows in own.items()},
        'truncation': {name: _shares(truncation[rows] > 0, 2)[1] for name, rows in own.items()},
    }


def _together(table: np.ndarray) -> dict[str, list[float]]:
    """Return for each class, in which share of its images each class is."""
    shown = (table > 0).astype(float)
    pairs = shown.T @ shown / np.maximum(shown.sum(axis=0), 1)[:, None]
    return {name: [round(float(share), 3) for share in row] for name, row in zip(CLASSES, pairs, strict=True)}


def _by_class(values: np.ndarray) -> dict[str, float]:
    """Return rounded values by class name."""
    return {name: round(float(value), 4) for name, value in zip(CLASSES, values, strict=True)}


def _quantiles(values: np.ndarray, levels: Sequence[float] = LEVELS) -> list[float]:
    """Return rounded quantiles; nothing for nothing."""
    return [round(float(value), 4) for value in np.quantile(values, levels)] if len(values) else []


def _shares(levels: np.ndarray, count: int) -> list[float]:
    """Return the share of each level."""
    return [round(float(np.mean(levels == level)), 3) if len(levels) else 0.0 for level in range(count)]
