"""Predictions of mmdet3d's detectors as numbers, and the frames that they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet3d.structures import CameraInstance3DBoxes, LiDARInstance3DBoxes

from pointkd.core.errors import DataError
from pointkd.engine.kitti_objects import Info

PREDICTIONS_3D, PREDICTIONS_2D = 'pred_instances_3d', 'pred_instances'  # in a data sample
_FRAMES = {LiDARInstance3DBoxes: 'lidar', CameraInstance3DBoxes: 'camera'}


@dataclass(frozen=True)
class Predictions:
    """Boxes of one frame as the network gave them.

    Attributes:
        frame: 'lidar', 'camera' or 'image'.
        boxes: (N, 7) float64 in mmdet3d's layout of that frame, (N, 4) in the image.
        scores: (N,) float64.
        labels: (N,) int64.
    """

    frame: str
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def predictions_3d(instances: Mapping[str, Any]) -> Predictions | None:
    """Return predicted 3D boxes as numbers on the CPU; None where the network gives none at all.

    Raises:
        DataError: the boxes are of another frame than LiDAR or camera.
    """
    if 'bboxes_3d' not in instances:
        return None
    boxes = instances['bboxes_3d']
    if type(boxes) not in _FRAMES:
        raise DataError(f'KittiMetric: expected boxes of the LiDAR or camera frame, got {type(boxes).__name__}')
    labels = _numbers(instances['labels_3d']).astype(np.int64)
    return Predictions(_FRAMES[type(boxes)], _numbers(boxes.tensor)[:, :7], _numbers(instances['scores_3d']), labels)


def predictions_2d(instances: Mapping[str, Any]) -> Predictions | None:
    """Return predicted image boxes as numbers on the CPU; None where the network gives none at all."""
    if 'bboxes' not in instances:
        return None
    labels = _numbers(instances['labels']).astype(np.int64)
    return Predictions('image', _numbers(instances['bboxes'])[:, :4], _numbers(instances['scores']), labels)


def file_name(sample: Mapping[str, Any]) -> str | None:
    """Return the name of a sample's point cloud or image, without folder and ending."""
    for key in ('lidar_path', 'img_path'):
        if isinstance(sample.get(key), str):
            return Path(sample[key]).stem
    return None


def match_frames(infos: Sequence[Info], results: Sequence[Mapping[str, Any]], camera: str) -> list[tuple[str, Info]]:
    """Return name and info of each predicted frame.

    A frame is found by the name of its file, as the position in the data set is that in the info file only while the
    data set skips nothing; by position where the name is unknown or stands in several folders.

    Args:
        infos: entries of the info file.
        results: `file` and `position` of each predicted frame.
        camera: camera whose image files count.

    Raises:
        DataError: a frame is not in the info file, or predicted twice.
    """
    positions = _positions_by_file(infos, camera)
    frames: dict[int, str] = {}
    for result in results:
        named = positions.get(result['file'], set())
        position = next(iter(named)) if len(named) == 1 else result['position']
        if position >= len(infos):
            raise DataError(
                f'KittiMetric: frame {result["file"] or position} is not in the info file; '
                'ann_file of the metric and of the data set must be the same'
            )
        name = result['file'] if len(named) == 1 else f'{infos[position]["sample_idx"]:06d}'
        if position in frames:
            raise DataError(f'KittiMetric: frame {name} was predicted more than once')
        frames[position] = name
    return [(name, infos[position]) for position, name in frames.items()]


def _positions_by_file(infos: Sequence[Info], camera: str) -> dict[str, set[int]]:
    """Return the positions in the info file by the name of the point cloud or image."""
    positions: dict[str, set[int]] = defaultdict(set)
    for position, info in enumerate(infos):
        paths = (info.get('lidar_points', {}).get('lidar_path'), info.get('images', {}).get(camera, {}).get('img_path'))
        for path in paths:
            if path:
                positions[Path(path).stem].add(position)
    return positions


def _numbers(tensor: Any) -> np.ndarray:
    """Return a tensor as float64 numbers."""
    numbers: np.ndarray = tensor.detach().cpu().double().numpy()
    return numbers
