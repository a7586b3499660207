"""The anchors of an anchor head, from their parameters, only where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pointkd.core.errors import ConfigError


@dataclass(frozen=True)
class Anchors:
    """One anchor a size and rotation on every cell of a feature map (mmdet3d's two range generators).

    Attributes:
        height: rows of the map (along y).
        width: columns of the map (along x).
        ranges: one x, y, z minimum and maximum a size (or one for all), metres.
        sizes: length, width, height a size, metres.
        rotations: yaws in radians; a cell's anchors are numbered by size, then rotation.
        placement: `centre`: in the middle of the cells; `corner`: at their lower corner; `spread`: from the first to
            the last value of the range, both included.
        extra: zeros after the seven numbers of an anchor (velocities).
    """

    height: int
    width: int
    ranges: tuple[tuple[float, ...], ...]
    sizes: tuple[tuple[float, ...], ...]
    rotations: tuple[float, ...]
    placement: str = 'centre'
    extra: int = 0

    def __post_init__(self) -> None:
        if self.placement not in ('centre', 'corner', 'spread'):
            raise ConfigError(f"anchors: placement must be 'centre', 'corner' or 'spread', got {self.placement!r}")
        if len(self.ranges) not in (1, len(self.sizes)) or not self.sizes or not self.rotations:
            raise ConfigError(
                f'anchors: {len(self.sizes)} sizes and {len(self.rotations)} rotations need one range, or one a size; '
                f'got {len(self.ranges)}'
            )

    @property
    def per_cell(self) -> int:
        """Anchors of one cell."""
        return len(self.sizes) * len(self.rotations)

    def at(self, row: np.ndarray, column: np.ndarray, number: np.ndarray) -> np.ndarray:
        """Return the anchors at some places.

        Args:
            row: (K,) rows of the map.
            column: (K,) columns.
            number: (K,) which anchor of the cell.

        Returns:
            (K, 7 + extra) float32 x, y, z (bottom), length, width, height, yaw.
        """
        along_x, along_y, rest = self._tables
        place = np.stack([along_x[number, column], along_y[number, row]], axis=1)
        return np.concatenate([place, rest[number]], axis=1)

    def all(self) -> np.ndarray:
        """Return every anchor, (height, width, per_cell, 7 + extra)."""
        row, column, number = np.indices((self.height, self.width, self.per_cell)).reshape(3, -1)
        return self.at(row, column, number).reshape(self.height, self.width, self.per_cell, -1)

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (A, W), y (A, H) and z, length, width, height, yaw, extra (A, 5 + extra) of the anchors of a cell."""
        x, y, rest = [], [], []
        for number, size in enumerate(self.sizes):
            low, high = np.reshape(self.ranges[number % len(self.ranges)], (2, 3))
            z = self._centres(low[2], high[2], 1)[0]
            for rotation in self.rotations:
                x.append(self._centres(low[0], high[0], self.width))
                y.append(self._centres(low[1], high[1], self.height))
                rest.append([z, *size, rotation, *[0.0] * self.extra])
        return np.asarray(x, np.float32), np.asarray(y, np.float32), np.asarray(rest, np.float32)

    def _centres(self, low: float, high: float, count: int) -> np.ndarray:
        """Places of `count` anchors along one axis."""
        if self.placement == 'spread':
            return np.linspace(low, high, count)
        offset = 0.5 if self.placement == 'centre' else 0.0
        return low + (np.arange(count) + offset) * (high - low) / count
