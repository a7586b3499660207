"""Clouds to verify and to time with: files of a folder, or made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.kitti import read_points
from pointkd.runtime.voxelize import Voxelizer

FOLDERS = ('', 'training/velodyne_reduced', 'training/velodyne')


def read_clouds(folder: str | Path, columns: int, count: int) -> list[np.ndarray]:
    """Read point files, spread evenly over a folder.

    Args:
        folder: with `*.bin` files, or the root of a KITTI data set.
        columns: numbers a point.
        count: at most so many.

    Returns:
        Clouds (N, columns) float32.

    Raises:
        DataError: there is no point file, or one is truncated.
    """
    for inside in FOLDERS:
        files = sorted((Path(folder) / inside).glob('*.bin'))
        if files:
            chosen = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
            return [read_points(files[index], columns) for index in chosen]
    raise DataError(f'{folder}: no *.bin file there, nor in {" or ".join(FOLDERS[1:])}')


def made_up_clouds(voxels: Voxelizer, count: int, seed: int = 0) -> list[np.ndarray]:
    """Make clouds that exercise a network: ground, boxes of many sizes, noise inside and outside the range.

    Args:
        voxels: for the range and the columns.
        count: how many; they differ in density.
        seed: the same clouds for the same seed.

    Returns:
        Clouds (N, columns) float32.
    """
    random = np.random.default_rng(seed)
    return [_made_up_cloud(voxels, random, int(random.integers(2000, 20000))) for _ in range(count)]


def _made_up_cloud(voxels: Voxelizer, random: np.random.Generator, size: int) -> np.ndarray:
    """Make one cloud of about `size` points, shuffled."""
    low, high = np.reshape(voxels.point_cloud_range, (2, 3))
    ground = random.uniform(low - 1, high + 1, (size // 2, 3))
    ground[:, 2] = low[2] + 0.3 * (high[2] - low[2]) + random.normal(0, 0.03, len(ground))
    noise = random.uniform(low, high, (size // 10, 3))
    boxes = int(random.integers(5, 25))
    parts = [ground, noise, *(_made_up_box(low, high, random, size // 3 // boxes) for _ in range(boxes))]
    points = np.concatenate(parts)
    others = random.uniform(0, 1, (len(points), voxels.columns - 3))
    return random.permutation(np.concatenate([points, others], axis=1).astype(np.float32))


def _made_up_box(low: np.ndarray, high: np.ndarray, random: np.random.Generator, size: int) -> np.ndarray:
    """Make points on the sides of a turned box that stands somewhere in the range."""
    half = random.uniform([0.3, 0.3, 0.5], [2.5, 1.2, 1.0])
    points = random.uniform(-half, half, (size, 3))
    side = random.integers(0, 2, size)
    points[np.arange(size), side] = half[side] * random.choice([-1, 1], size)
    yaw = random.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    centre = random.uniform(low, high)
    centre[2] = low[2] + 0.3 * (high[2] - low[2]) + half[2]
    return points @ turn.T + centre
