"""A street and its ground: where along and across it a thing stands, and how high the ground is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_kitti.materials import NUMBERS
from pointkd.datasets.synthetic_kitti.meshes import Mesh

KERB_M = 0.12
SENSOR_HEIGHT_M = 1.73
_BESIDE = np.array([0.02, 1.5, 3, 5, 8, 11, 15, 20, 26, 34, 45, 60])  # grid lines from the kerb outwards, metres


@dataclass(frozen=True)
class Street:
    """A slightly bent street in the LiDAR frame (x forward, y left, z up; the LiDAR is the origin).

    A place is `along` (metres from the LiDAR's car, along the street) and `across` (metres left of the middle line).

    Attributes:
        heading: direction of the street at the car, radians.
        bend: change of direction a metre along the street, radians.
        own: where across the street the car drives.
        half_width: from the middle line to the kerb.
        length: how far the ground reaches.
        slope: (2,) rise a metre along x and y.
        waves: (W, 4) unevenness: height, wave number along x and y, phase.
    """

    heading: float
    bend: float
    own: float
    half_width: float
    length: float
    slope: np.ndarray
    waves: np.ndarray

    def place(self, along: np.ndarray | float, across: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y and the direction of the street at a place."""
        along, across = np.asarray(along, dtype=np.float64), np.asarray(across, dtype=np.float64)
        sideways = self.bend * along**2 / 2
        direction = self.heading + self.bend * along
        x = along * np.cos(self.heading) - sideways * np.sin(self.heading) - np.sin(direction) * (across - self.own)
        y = along * np.sin(self.heading) + sideways * np.cos(self.heading) + np.cos(direction) * (across - self.own)
        return x, y, direction

    def height(self, x: np.ndarray | float, y: np.ndarray | float, across: np.ndarray | float) -> np.ndarray:
        """Return the height of the ground; beside the street it is higher by the kerb."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        level = -SENSOR_HEIGHT_M + self.slope[0] * x + self.slope[1] * y
        for height, along_x, along_y, phase in self.waves:
            level = level + height * np.sin(along_x * x + along_y * y + phase)
        return level + np.where(np.abs(across) > self.half_width, KERB_M, 0.0)

    def ground(self, verge: str) -> Mesh:
        """Return the ground: asphalt between the kerbs, pavement beside it, then the verge's material."""
        inside = np.linspace(0.02 - self.half_width, self.half_width - 0.02, 8)
        beside = self.half_width + _BESIDE
        across = np.concatenate([-beside[::-1], inside, beside])
        along = np.concatenate([np.arange(-8.0, 40.0, 2.0), np.arange(40.0, self.length + 4.0, 4.0)])
        grid_along, grid_across = (axis.ravel() for axis in np.meshgrid(along, across, indexing='ij'))
        x, y, _ = self.place(grid_along, grid_across)
        vertices = np.stack([x, y, self.height(x, y, grid_across)], axis=1)
        rows, columns = len(along), len(across)
        corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
        triangles = np.concatenate(
            [
                np.stack([corner, corner + columns, corner + columns + 1], axis=1),
                np.stack([corner, corner + columns + 1, corner + 1], axis=1),
            ]
        )
        middle = np.abs((across[:-1] + across[1:]) / 2) - self.half_width
        stripe = np.select([middle < 0.0, middle < 3.0], [NUMBERS['asphalt'], NUMBERS['pavement']], NUMBERS[verge])
        return Mesh(vertices, triangles, np.tile(stripe, 2 * (rows - 1)))


def random_street(rng: np.random.Generator, half_width: float, length: float) -> Street:
    """Return a street with a random course, slope and unevenness."""
    waves = np.stack(
        [
            rng.uniform(0.005, 0.03, size=4),
            rng.uniform(-0.5, 0.5, size=4),
            rng.uniform(-0.5, 0.5, size=4),
            rng.uniform(0.0, 2 * np.pi, size=4),
        ],
        axis=1,
    )
    return Street(
        heading=float(rng.normal(0.0, 0.04)),
        bend=float(rng.normal(0.0, 0.0025)),
        own=float(rng.uniform(-2.1, -1.3)),
        half_width=half_width,
        length=length,
        slope=rng.normal(0.0, [0.008, 0.006]),
        waves=waves,
    )
