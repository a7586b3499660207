"""Overlapping tiles that cover an image exactly."""

from __future__ import annotations

import numpy as np

from pointkd.core.errors import ConfigError


def check_tiling(size: int, overlap: float) -> None:
    """Raise unless tiles can be laid with these settings.

    Args:
        size: side of a tile, pixels.
        overlap: share of a tile's side that the next one repeats.

    Raises:
        ConfigError: the side is no whole number from 1, or the overlap is not from 0 to below 1.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigError(f'side of a tile: expected a whole number of pixels, 1 or more, got {size!r}')
    if not 0 <= overlap < 1:
        raise ConfigError(f'overlap of tiles: expected a share from 0 to below 1, got {overlap!r}')


def tile_image(width: int, height: int, size: int, overlap: float) -> np.ndarray:
    """Return tiles that lie inside an image and cover each of its pixels.

    All tiles have the same size: `size`, or the image's own side where that is shorter. They stand at even distances,
    as few as the overlap allows, the outer ones flush with the border, so that none reaches outside and none is small.

    Args:
        width, height: of the image, pixels.
        size, overlap: see `check_tiling`; neighbours overlap by at least this share, rounded down to whole pixels.

    Returns:
        (T, 4) int64, left, top, right, bottom (right and bottom not included), row by row.

    Raises:
        ConfigError: see `check_tiling`.

    Example:
        >>> tile_image(100, 40, 60, 0.2).tolist()
        [[0, 0, 60, 40], [40, 0, 100, 40]]
    """
    check_tiling(size, overlap)
    columns, rows = _starts(width, size, overlap), _starts(height, size, overlap)
    left, top = (grid.ravel() for grid in np.meshgrid(columns, rows))
    return np.stack([left, top, left + min(size, width), top + min(size, height)], axis=1)


def _starts(length: int, size: int, overlap: float) -> np.ndarray:
    """Return where tiles begin along one side of an image."""
    if length <= size:
        return np.zeros(1, dtype=np.int64)
    step = size - int(size * overlap)
    count = -(-(length - size) // step) + 1
    return np.round(np.linspace(0, length - size, count)).astype(np.int64)
