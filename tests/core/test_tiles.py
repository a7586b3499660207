"""Tiles lie inside the image, cover every pixel, and overlap as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError
from pointkd.core.tiles import tile_image


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 70), st.floats(0, 0.95))
def test_tiles_cover_the_image_exactly(width: int, height: int, size: int, overlap: float) -> None:
    tiles = tile_image(width, height, size, overlap)
    counts = np.zeros((height, width), dtype=int)
    for left, top, right, bottom in tiles:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left, bottom - top) == (min(size, width), min(size, height))
        counts[top:bottom, left:right] += 1
    assert counts.min() >= 1
    assert counts.sum() == len(tiles) * min(size, width) * min(size, height)
    assert len({tuple(tile) for tile in tiles.tolist()}) == len(tiles)
    columns = np.unique(tiles[:, 0])
    if len(columns) > 1:
        assert size - np.diff(columns).max() >= int(size * overlap)


@pytest.mark.parametrize(('length', 'count'), [(640, 1), (641, 2), (1152, 2), (1153, 3), (1664, 3), (1920, 4)])
def test_no_more_tiles_than_the_overlap_asks_for(length: int, count: int) -> None:
    assert len(tile_image(length, 100, 640, 0.2)) == count  # a tile moves on by 512


def test_order_is_row_by_row() -> None:
    assert tile_image(100, 100, 60, 0)[:, :2].tolist() == [[0, 0], [40, 0], [0, 40], [40, 40]]


@pytest.mark.parametrize(('size', 'overlap'), [(0, 0.2), (True, 0.2), (2.5, 0.2), (10, 1.0), (10, -0.1), (10, np.nan)])
def test_wrong_settings(size: int, overlap: float) -> None:
    with pytest.raises(ConfigError, match='tile'):
        tile_image(100, 100, size, overlap)
