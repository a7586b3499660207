"""3D boxes and frames in numpy: corners, and the way between the KITTI camera frame and the LiDAR frame.

LiDAR frame: x forward, y left, z up, metres; a box is x, y, z of the centre of its *bottom*, length, width, height, yaw
(radians, counter-clockwise from x), as mmdet3d's `LiDARInstance3DBoxes`.
Camera frame: x right, y down, z forward; a KITTI object is its location (centre of the bottom), h, w, l and rotation_y.
"""

from __future__ import annotations

import numpy as np

from pointkd.core.check import check_shape

# Corner order: bottom face counter-clockwise from front-left, then the top face in the same order.
_CORNERS = np.array(
    [[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0], [1, 1, 1], [-1, 1, 1], [-1, -1, 1], [1, -1, 1]], dtype=np.float64
) * [0.5, 0.5, 1.0]


def wrap_angle(angle: np.ndarray) -> np.ndarray:
    """Bring angles (radians) into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def box_corners(boxes: np.ndarray) -> np.ndarray:
    """Return the corners of boxes in the LiDAR frame.

    Args:
        boxes: (N, 7) x, y, z (bottom), length, width, height, yaw.

    Returns:
        (N, 8, 3) corners in metres: four of the bottom counter-clockwise from front-left, then four of the top.

    Raises:
        ShapeError: boxes are not (N, 7).
    """
    check_shape(boxes, 'N 7', 'boxes')
    boxes = np.asarray(boxes, dtype=np.float64)
    local = _CORNERS[None] * boxes[:, None, 3:6]  # (N, 8, 3)
    cos, sin = np.cos(boxes[:, 6:7]), np.sin(boxes[:, 6:7])  # (N, 1)
    x = local[..., 0] * cos - local[..., 1] * sin
    y = local[..., 0] * sin + local[..., 1] * cos
    return np.stack([x, y, local[..., 2]], axis=-1) + boxes[:, None, :3]


def points_in_box(points: np.ndarray, box: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Return which points lie in one box (faces included).

    Args:
        points: (N, 3+) x, y, z in metres, LiDAR frame.
        box: (7,) x, y, z (bottom), length, width, height, yaw.
        margin: metres added on every side.

    Returns:
        (N,) bool.
    """
    check_shape(box, '7', 'box')
    offset = np.asarray(points[:, :3], dtype=np.float64) - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    along = offset[:, 0] * cos + offset[:, 1] * sin
    across = -offset[:, 0] * sin + offset[:, 1] * cos
    return (
        (np.abs(along) <= box[3] / 2 + margin)
        & (np.abs(across) <= box[4] / 2 + margin)
        & (offset[:, 2] >= -margin)
        & (offset[:, 2] <= box[5] + margin)
    )


def lidar_to_camera_boxes(boxes: np.ndarray, lidar_to_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn LiDAR boxes into KITTI's location, dimensions and rotation_y.

    Args:
        boxes: (N, 7) x, y, z (bottom), length, width, height, yaw.
        lidar_to_camera: (4, 4) rectified camera frame from LiDAR frame.

    Returns:
        location (N, 3), dimensions (N, 3) as h, w, l, rotation_y (N,) in [-pi, pi).
    """
    check_shape(boxes, 'N 7', 'boxes')
    boxes = np.asarray(boxes, dtype=np.float64)
    location = boxes[:, :3] @ lidar_to_camera[:3, :3].T + lidar_to_camera[:3, 3]
    dimensions = boxes[:, [5, 4, 3]]
    return location, dimensions, wrap_angle(-boxes[:, 6] - np.pi / 2)


def camera_to_lidar_boxes(
    location: np.ndarray, dimensions: np.ndarray, rotation_y: np.ndarray, lidar_to_camera: np.ndarray
) -> np.ndarray:
    """Turn KITTI objects into LiDAR boxes (the inverse of `lidar_to_camera_boxes`).

    Args:
        location: (N, 3) metres, camera frame, centre of the bottom.
        dimensions: (N, 3) h, w, l in metres.
        rotation_y: (N,) radians.
        lidar_to_camera: (4, 4) rectified camera frame from LiDAR frame.

    Returns:
        (N, 7) float64 x, y, z (bottom), length, width, height, yaw in [-pi, pi).
    """
    check_shape(location, 'N 3', 'location')
    inverse = np.linalg.inv(lidar_to_camera)
    centre = np.asarray(location, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
    yaw = wrap_angle(-np.asarray(rotation_y, dtype=np.float64) - np.pi / 2)
    return np.concatenate([centre, np.asarray(dimensions)[:, [2, 1, 0]], yaw[:, None]], axis=1)
