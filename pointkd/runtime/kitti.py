"""Detections as rows of a KITTI result file."""

from __future__ import annotations

import numpy as np

from pointkd.core.boxes import box_corners, lidar_to_camera_boxes, wrap_angle
from pointkd.core.kitti import Calibration, KittiObjects
from pointkd.runtime.detections import Detections

# Camera frame from LiDAR frame where no calibration is given: the axes are turned and nothing is moved.
AXES_TURN = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
IMAGE_SIZE = (1242, 375)  # width, height of most KITTI images
NEAREST_M = 0.1  # corners nearer to the camera plane than this are not projected


def to_kitti(
    detections: Detections, calibration: Calibration | None = None, image_size: tuple[int, int] = IMAGE_SIZE
) -> KittiObjects:
    """Turn detections into the objects of a KITTI result file.

    Args:
        detections: boxes in the LiDAR frame.
        calibration: of the frame; without one the LiDAR's axes are turned into the camera's (x right, y down,
            z forward), nothing is moved, and there are no 2D boxes.
        image_size: width and height that 2D boxes are clipped to.

    Returns:
        Objects with scores. A box that is not in the image has the 2D box 0 0 0 0, which KITTI's evaluation leaves
        out.
    """
    turn = AXES_TURN if calibration is None else calibration.lidar_to_camera
    location, dimensions, rotation_y = lidar_to_camera_boxes(detections.boxes[:, :7], turn)
    count = len(detections)
    boxes_2d = np.zeros((count, 4))
    if calibration is not None and count:
        boxes_2d = _boxes_2d(detections.boxes[:, :7], calibration, image_size)
    return KittiObjects(
        names=detections.names,
        truncation=np.full(count, -1.0),
        occlusion=np.full(count, -1),
        alpha=wrap_angle(rotation_y - np.arctan2(location[:, 0], location[:, 2])),
        boxes_2d=boxes_2d,
        dimensions=dimensions,
        location=location,
        rotation_y=rotation_y,
        scores=detections.scores.astype(np.float64),
    )


def _boxes_2d(boxes: np.ndarray, calibration: Calibration, image_size: tuple[int, int]) -> np.ndarray:
    """(N, 4) rectangles around the projected corners, clipped to the image, zeros where nothing of a box is in it."""
    corners = box_corners(boxes).reshape(-1, 3)
    turn = calibration.lidar_to_camera
    pixels, depth = calibration.project(corners @ turn[:3, :3].T + turn[:3, 3])
    seen = (depth > NEAREST_M).reshape(-1, 8, 1)
    pixels = pixels.reshape(-1, 8, 2)
    low = np.where(seen, pixels, np.inf).min(axis=1)
    high = np.where(seen, pixels, -np.inf).max(axis=1)
    limit = np.array(image_size) - 1
    rectangles = np.concatenate([np.clip(low, 0, limit), np.clip(high, 0, limit)], axis=1)
    inside = (rectangles[:, 2:] > rectangles[:, :2]).all(axis=1)
    return np.where(inside[:, None], rectangles, 0.0)
