"""Errors near borders against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pointkd.core.errors import ShapeError
from pointkd.report.edges import RIGHT, WRONG, edge_errors, near_borders

VOID = 255


def slow(labels: np.ndarray, reach: float) -> np.ndarray:
    """Every pixel against every border pixel."""
    height, width = labels.shape
    borders = []
    for y in range(height):
        for x in range(width):
            for v, u in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                inside = 0 <= v < height and 0 <= u < width
                if inside and VOID not in (labels[y, x], labels[v, u]) and labels[y, x] != labels[v, u]:
                    borders.append((y, x))
    near = np.zeros(labels.shape, dtype=bool)
    for y in range(height):
        for x in range(width):
            near[y, x] = any((y - v) ** 2 + (x - u) ** 2 <= reach**2 + 1e-3 for v, u in borders)
    return near


@given(arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, VOID])), st.sampled_from([1.0, 2.0, 3.0]))
def test_distance_to_borders(labels: np.ndarray, reach: float) -> None:
    np.testing.assert_array_equal(near_borders(labels, VOID, reach), slow(labels, reach))


def test_colours() -> None:
    truth = np.zeros((6, 20), dtype=np.uint8)
    truth[:, 10:] = 1
    truth[0] = VOID
    guess = truth.copy()
    guess[3, 9] = 1  # wrong, at the border
    guess[3, 0] = 1  # wrong, far from it
    picture = edge_errors(np.full((6, 20, 3), 100, dtype=np.uint8), truth, guess, reach=2.0)
    assert tuple(picture[3, 9]) == WRONG
    assert tuple(picture[3, 10]) == RIGHT
    assert tuple(picture[3, 0]) == (35, 35, 35)
    assert tuple(picture[0, 10]) == (35, 35, 35)  # void is not judged


def test_sizes_that_differ() -> None:
    with pytest.raises(ShapeError, match='labels'):
        edge_errors(np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8), np.zeros((4, 5)))
