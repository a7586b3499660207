"""Labels or detections of many images as flat arrays, one row an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.visdrone import CATEGORY, SCORE
from pointkd.evaluation.visdrone.rules import CLASSES, COLUMNS


@dataclass(frozen=True)
class RowTable:
    """Rows of F images, image after image, in the order of their files (the order matters to the benchmark).

    Attributes:
        values: (N, 6) float64: x, y, width, height, score, category.
        starts: (F+1,) int64, first row of each image, and N.
    """

    values: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) x, y, width, height, pixels."""
        return np.ascontiguousarray(self.values[:, :SCORE])

    @property
    def scores(self) -> np.ndarray:
        """(N,) scores; of labels 0 where they are to be ignored."""
        return np.ascontiguousarray(self.values[:, SCORE])

    @property
    def classes(self) -> np.ndarray:
        """(N,) int64, index in `CLASSES`, -1 for every other category."""
        categories = self.values[:, CATEGORY]
        evaluated = (categories >= 1) & (categories <= len(CLASSES)) & (categories == np.floor(categories))
        return np.where(evaluated, categories - 1, -1).astype(np.int64)

    @property
    def images(self) -> np.ndarray:
        """(N,) int64, number of the image of each row."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def places(self) -> np.ndarray:
        """(N,) int64, place of each row among its image's, from 0."""
        return np.arange(len(self)) - np.repeat(self.starts[:-1], np.diff(self.starts))

    def only(self, chosen: np.ndarray) -> RowTable:
        """Return the table of the rows where chosen (N,) bool is true."""
        counts = np.bincount(self.images[chosen], minlength=len(self.starts) - 1)
        return RowTable(self.values[chosen], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def table_of(images: Sequence[np.ndarray | None], name: Callable[[int], str]) -> RowTable:
    """Join the rows of images.

    Args:
        images: (N, 6 or more) rows of each image; None stands for an image without any.
        name: how messages call an image, by its number.

    Raises:
        DataError: rows with fewer than 6 columns, or a number that is not finite.
    """
    parts = [np.zeros((0, COLUMNS))]
    counts = []
    for number, given in enumerate(images):
        rows = np.zeros((0, COLUMNS)) if given is None else np.asarray(given, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] < COLUMNS:
            raise DataError(f'{name(number)}: expected rows of {COLUMNS} columns or more, got shape {rows.shape}')
        if not np.isfinite(rows[:, :COLUMNS]).all():
            bad = int(np.flatnonzero(~np.isfinite(rows[:, :COLUMNS]).all(axis=1))[0])
            raise DataError(f'{name(number)}, row {bad}: every column must be a finite number')
        parts.append(rows[:, :COLUMNS])
        counts.append(len(rows))
    return RowTable(np.concatenate(parts), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
