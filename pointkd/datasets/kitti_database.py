"""The ground-truth database: each labelled object's points in a file of their own, for mmdet3d's `ObjectSample`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.boxes import points_in_box
from pointkd.core.files import atomic_write
from pointkd.core.kitti import Calibration, KittiObjects
from pointkd.datasets.kitti_folder import IGNORED
from pointkd.datasets.kitti_infos import difficulty, lidar_boxes, select

FOLDER = 'kitti_gt_database'


def cut_objects(
    out: Path,
    frame: str,
    points: np.ndarray,
    objects: KittiObjects,
    calibration: Calibration,
    *,
    known: Sequence[str],
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Write the points of a frame's objects and return their entries.

    Args:
        out: folder that holds `kitti_gt_database/`.
        frame: its name, digits.
        points: (N, 4) float32, the points that the camera sees.
        objects: the frame's labels.
        calibration: the frame's calibration.
        known: classes that have a number; other rows are left out.
        classes: classes that go into the database.

    Returns:
        Entries without `group_id`, in the order of the label file. A file holds points relative to the middle of the
        box's bottom.
    """
    mask = np.array([name in known and name != IGNORED for name in objects.names], dtype=bool)
    chosen = select(objects, mask)
    boxes = lidar_boxes(chosen, calibration).astype(np.float32)
    levels = difficulty(chosen)
    entries = []
    for number, name in enumerate(chosen.names):
        if name not in classes:
            continue
        own = points[points_in_box(points, boxes[number])]
        own[:, :3] -= boxes[number, :3]
        path = f'{FOLDER}/{int(frame)}_{name}_{number}.bin'
        with atomic_write(out / path) as file:
            file.write(np.ascontiguousarray(own, dtype='<f4').tobytes())
        entries.append(
            {
                'name': name,
                'path': path,
                'image_idx': int(frame),
                'gt_idx': number,
                'box3d_lidar': boxes[number],
                'num_points_in_gt': len(own),
                'difficulty': int(levels[number]),
                'score': 0.0,
            }
        )
    return entries


def group_by_class(frames: Sequence[list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return all frames' entries by class, each with its running number as `group_id`; no class without an object."""
    database: dict[str, list[dict[str, Any]]] = {}
    entries = [entry for frame in frames for entry in frame]
    for number, entry in enumerate(entries):
        database.setdefault(entry['name'], []).append({**entry, 'group_id': number})
    return database
