"""Numbers of a data set in KITTI layout: objects a frame, points an object by distance, shares of occlusion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pointkd.core.boxes import points_in_box
from pointkd.core.kitti import Calibration, KittiObjects, read_calibration, read_objects, read_points
from pointkd.datasets.kitti_folder import IGNORED, KittiFolder, image_size, in_image
from pointkd.datasets.kitti_infos import lidar_boxes, select

DISTANCES_M = (0, 10, 20, 30, 40, 50, 60, 80)


@dataclass(frozen=True)
class FrameNumbers:
    """What one frame adds to the statistics.

    Attributes:
        names: classes of its O labelled objects.
        distances: (O,) metres from the LiDAR to the middle of the box, seen from above.
        points: (O,) points in the box that the camera sees.
        occlusion: (O,) 0 to 3.
        ignored: number of DontCare regions.
        cloud: points that the camera sees.
    """

    names: list[str]
    distances: np.ndarray
    points: np.ndarray
    occlusion: np.ndarray
    ignored: int
    cloud: int


def frame_numbers(folder: KittiFolder, frame: str) -> FrameNumbers:
    """Read one frame and count.

    Raises:
        DataError: a file is missing or broken.
    """
    calibration = read_calibration(folder.calibration(frame))
    size, _ = image_size(folder, frame, calibration)
    return count(read_points(folder.cloud(frame)), read_objects(folder.label(frame)), calibration, size)


def count(points: np.ndarray, objects: KittiObjects, calibration: Calibration, size: tuple[int, int]) -> FrameNumbers:
    """Count what a frame holds: points (N, 4), labels, calibration, width and height of the image."""
    seen = points[in_image(points, calibration, size)]
    labelled = np.array([name != IGNORED for name in objects.names], dtype=bool)
    boxes = lidar_boxes(select(objects, labelled), calibration)
    return FrameNumbers(
        names=[name for name in objects.names if name != IGNORED],
        distances=np.hypot(boxes[:, 0], boxes[:, 1]),
        points=np.array([points_in_box(seen, box).sum() for box in boxes], dtype=np.int64),
        occlusion=objects.occlusion[labelled],
        ignored=int((~labelled).sum()),
        cloud=len(seen),
    )


def points_by_distance(
    frames: Iterable[FrameNumbers], name: str, edges: Sequence[float] = DISTANCES_M
) -> list[tuple[int, float]]:
    """Return, for each distance bin, how many objects of a class it has and their median number of points.

    Args:
        frames: the frames' numbers.
        name: class.
        edges: limits of the bins in metres.

    Returns:
        (objects, median points) a bin; NaN for the median of none.
    """
    distances, points = _gather(frames, name)
    number = np.digitize(distances, edges) - 1
    bins = [points[number == index] for index in range(len(edges) - 1)]
    return [(len(values), float(np.median(values)) if len(values) else float('nan')) for values in bins]


def occlusion_shares(frames: Iterable[FrameNumbers], name: str) -> list[float]:
    """Return which share of a class's objects has occlusion 0, 1, 2, 3 (NaN where there are none)."""
    levels = [level for frame in frames for level, own in zip(frame.occlusion, frame.names, strict=True) if own == name]
    counts = np.bincount(np.clip(np.array(levels, dtype=np.int64), 0, 3), minlength=4)
    return [float(count) / len(levels) if levels else float('nan') for count in counts]


def _gather(frames: Iterable[FrameNumbers], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and points of all objects of a class."""
    chosen = [(frame, np.array([own == name for own in frame.names], dtype=bool)) for frame in frames]
    distances = [frame.distances[mask] for frame, mask in chosen]
    points = [frame.points[mask] for frame, mask in chosen]
    return np.concatenate([np.zeros(0), *distances]), np.concatenate([np.zeros(0, dtype=np.int64), *points])
