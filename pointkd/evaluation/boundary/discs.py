"""The pixels of a disc, nearest first, as compiled searches take them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Disc(NamedTuple):
    """Offsets within a radius.

    Attributes:
        offsets: (D, 2) int64, rows and columns, nearest first.
        begins: (S+1,) int64, how many offsets have a smaller square than 0, 1, ..., S; S is the greatest square within
            the radius.
    """

    offsets: np.ndarray
    begins: np.ndarray


@lru_cache(maxsize=64)
def disc(radius: float) -> Disc:
    """Return the offsets whose Euclidean length is at most a radius (pixels, not negative).

    Example:
        >>> disc(1.0).offsets.tolist()
        [[0, 0], [-1, 0], [0, -1], [0, 1], [1, 0]]
    """
    side = np.arange(-math.floor(radius), math.floor(radius) + 1)
    rows, columns = (axis.ravel() for axis in np.meshgrid(side, side, indexing='ij'))
    squares = rows**2 + columns**2
    order = np.argsort(squares, kind='stable')
    order = order[np.sqrt(squares[order]) <= radius]
    begins = np.searchsorted(squares[order], np.arange(squares[order][-1] + 1))
    return Disc(np.stack([rows, columns], axis=1)[order], begins.astype(np.int64))


def largest_square(radius: float) -> int:
    """Return the greatest whole number whose root is at most a radius.

    Example:
        >>> largest_square(2.9)
        8
    """
    square = math.floor(radius**2) + 1
    while math.sqrt(square) > radius:
        square -= 1
    return square
