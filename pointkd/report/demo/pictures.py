"""Pictures of the evaluation scenes: what is there, and what each net sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointkd.core.boxes import camera_to_lidar_boxes
from pointkd.core.kitti import read_calibration, read_objects, read_points
from pointkd.report.birdseye import BoxSet, draw_birdseye

CLASSES = ('Car', 'Pedestrian', 'Cyclist')


def lidar_boxes(path: Path, calibration: Path, minimum_score: float = 0.0) -> np.ndarray:
    """Return the boxes (N, 7) of the three classes in a label or result file, LiDAR frame; none where it is absent."""
    if not path.is_file():
        return np.zeros((0, 7))
    objects = read_objects(path)
    kept = np.array([name in CLASSES for name in objects.names], dtype=bool)
    if objects.scores is not None:
        kept &= objects.scores >= minimum_score
    if not kept.any():
        return np.zeros((0, 7))
    to_camera = read_calibration(calibration).lidar_to_camera
    return camera_to_lidar_boxes(objects.location[kept], objects.dimensions[kept], objects.rotation_y[kept], to_camera)


def richest_scenes(data: Path, frames: list[str], extent: tuple[float, float, float, float], count: int) -> list[str]:
    """Return the frames with most objects inside a rectangle (x, y minimum, x, y maximum), in their order."""

    def objects(frame: str) -> int:
        boxes = lidar_boxes(data / 'label_2' / f'{frame}.txt', data / 'calib' / f'{frame}.txt')
        return int(inside(boxes, extent).sum())

    chosen = sorted(frames, key=objects, reverse=True)[:count]
    return [frame for frame in frames if frame in chosen]


def inside(boxes: np.ndarray, extent: tuple[float, float, float, float]) -> np.ndarray:
    """Return which box centres lie in a rectangle."""
    x, y = boxes[:, 0], boxes[:, 1]
    return (x >= extent[0]) & (x <= extent[2]) & (y >= extent[1]) & (y <= extent[3])


def draw_scene(
    path: Path,
    data: Path,
    frame: str,
    results: dict[str, Path],
    extent: tuple[float, float, float, float],
    minimum_score: float = 0.3,
) -> None:
    """Draw one scene: a panel for the ground truth and one for each net's detections.

    Args:
        path: PNG to write.
        data: `training` folder of the data set.
        frame: ID.
        results: folder of result files by title.
        extent: x minimum, y minimum, x maximum, y maximum, metres.
        minimum_score: detections below it are left out.
    """
    calibration = data / 'calib' / f'{frame}.txt'
    truth = lidar_boxes(data / 'label_2' / f'{frame}.txt', calibration)
    sets = [BoxSet('ground truth', truth[inside(truth, extent)])]
    for title, folder in results.items():
        boxes = lidar_boxes(folder / f'{frame}.txt', calibration, minimum_score)
        sets.append(BoxSet(title, boxes[inside(boxes, extent)]))
    points = read_points(data / 'velodyne' / f'{frame}.bin')
    draw_birdseye(path, points, sets, extent=extent, title=f'scene {frame}', side_by_side=True)
