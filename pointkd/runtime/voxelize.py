"""Hard voxelisation in numpy, equal to mmcv's to the last bit and in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pointkd.core.errors import ConfigError, ShapeError


class Pillars(NamedTuple):
    """The cells of one cloud, as a network takes them.

    Attributes:
        points: (V, P, C) float32, zeros after the points of a cell.
        counts: (V,) int32, points held by each cell, 1..P.
        coords: (V, 3) int32, z, y, x of each cell.
        invalid_points: points that were dropped because a value was NaN or infinite.
        dropped_pillars: cells beyond `max_pillars`, dropped.
    """

    points: np.ndarray
    counts: np.ndarray
    coords: np.ndarray
    invalid_points: int = 0
    dropped_pillars: int = 0

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class Voxelizer:
    """Groups points into cells: a cell for each first point in it, in the order of those points.

    A point belongs to cell floor((p - min) / size) in float32; points outside the grid are dropped, so are points
    beyond `max_points` of a cell and cells beyond `max_pillars`.

    Attributes:
        voxel_size: x, y, z in metres.
        point_cloud_range: x, y, z minimum, then maximum, in metres.
        max_points: points kept in a cell.
        max_pillars: cells kept in a cloud.
        columns: values of a point (x, y, z first).
    """

    voxel_size: tuple[float, float, float]
    point_cloud_range: tuple[float, float, float, float, float, float]
    max_points: int
    max_pillars: int
    columns: int = 4

    def __post_init__(self) -> None:
        if self.max_points < 1 or self.max_pillars < 1:
            raise ConfigError(f'max_points {self.max_points} and max_pillars {self.max_pillars} must be at least 1')
        if min(self.voxel_size) <= 0 or min(self.grid) < 1:
            raise ConfigError(f'voxel_size {self.voxel_size} does not fit point_cloud_range {self.point_cloud_range}')

    @property
    def grid(self) -> tuple[int, int, int]:
        """Cells along x, y and z."""
        low, high = np.asarray(self.point_cloud_range, dtype=np.float32).reshape(2, 3)
        cells = np.rint((high - low) / np.asarray(self.voxel_size, dtype=np.float32)).astype(int)
        return int(cells[0]), int(cells[1]), int(cells[2])

    def __call__(self, points: np.ndarray) -> Pillars:
        """Group a cloud.

        Args:
            points: (N, columns) x, y, z in metres, LiDAR frame, then the other values.

        Returns:
            The pillars; none for an empty cloud.

        Raises:
            ShapeError: the cloud has another number of columns.
        """
        if points.ndim != 2 or points.shape[1] != self.columns:
            raise ShapeError(f'points: expected shape (N, {self.columns}), got {points.shape}')
        points = np.ascontiguousarray(points, dtype=np.float32)
        finite = np.isfinite(points).all(axis=1)
        invalid = int(len(points) - finite.sum())
        if invalid:
            points = points[finite]
        low = np.asarray(self.point_cloud_range[:3], dtype=np.float32)
        cells = np.floor((points[:, :3] - low) / np.asarray(self.voxel_size, dtype=np.float32))
        inside = ((cells >= 0) & (cells < np.asarray(self.grid))).all(axis=1)
        return self._group(points[inside], cells[inside].astype(np.int32), invalid)

    def _group(self, points: np.ndarray, cells: np.ndarray, invalid: int) -> Pillars:
        """Sort points by cell (stable) and write the first ones of each into the padded array."""
        width, depth, height = self.grid
        key = (cells[:, 2].astype(np.int64) * depth + cells[:, 1]) * width + cells[:, 0]
        if width * depth * height < 2**31:
            key = key.astype(np.int32)  # sorts twice as fast
        order = np.argsort(key, kind='stable')
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))  # (G,) first place of each cell in the sorted points
        sizes = np.diff(starts, append=len(order))
        first = order[starts]  # (G,) each cell's first point
        kept = np.argsort(first)[: self.max_pillars]  # cells by their first point
        rank = np.full(len(starts), -1)
        rank[kept] = np.arange(len(kept))

        pillar = np.repeat(rank, sizes)  # (N,) for the sorted points
        place = np.arange(len(order)) - np.repeat(starts, sizes)
        wanted = (pillar >= 0) & (place < self.max_points)
        padded = np.zeros((len(kept), self.max_points, self.columns), dtype=np.float32)
        padded[pillar[wanted], place[wanted]] = points[order[wanted]]
        counts = np.minimum(sizes[kept], self.max_points).astype(np.int32)
        coords = np.ascontiguousarray(cells[first[kept]][:, ::-1])
        return Pillars(padded, counts, coords, invalid, len(starts) - len(kept))
