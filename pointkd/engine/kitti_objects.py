"""What `KittiMetric` needs of mmdet3d: labels of an info file, and predictions, as KITTI objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointkd.core.boxes import lidar_to_camera_boxes, wrap_angle
from pointkd.core.errors import DataError
from pointkd.core.kitti import KittiObjects

Info = Mapping[str, Any]  # an entry of `data_list` in an info file

_NO_PLACE = -1000.0  # coordinate of a DontCare area in space
_NO_ALPHA = -10.0
_NEAR = 0.1  # metres: what lies nearer to the camera has no image
_EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]])


@dataclass(frozen=True)
class Camera:
    """The camera whose image the 2D boxes lie in.

    Attributes:
        size: width and height of the image, pixels.
        projection: (3, 4) pixels (homogeneous) from the rectified camera frame.
        lidar_to_camera: (4, 4) rectified camera frame from LiDAR frame.
    """

    size: tuple[int, int]
    projection: np.ndarray
    lidar_to_camera: np.ndarray


@dataclass
class Dropped:
    """Predictions that take no part in the evaluation, by reason."""

    not_finite: int = 0
    out_of_range: int = 0
    out_of_image: int = 0


def camera_of(info: Info, key: str) -> Camera:
    """Return a camera of a frame.

    Raises:
        DataError: the frame has no such camera, or it lacks an entry.
    """
    try:
        image = info['images'][key]
        return Camera(
            size=(int(image['width']), int(image['height'])),
            projection=np.asarray(image['cam2img'], dtype=np.float64)[:3, :4],
            lidar_to_camera=np.asarray(image['lidar2cam'], dtype=np.float64),
        )
    except KeyError as error:
        raise DataError(f'frame {info.get("sample_idx")}: images[{key!r}] has no {error} in the info file') from error


def label_names(metainfo: Info) -> dict[int, str]:
    """Return the class name of each label of an info file (-1 is handled by `labels_of`).

    Raises:
        DataError: the head of the file lists no classes.
    """
    if 'categories' not in metainfo:
        raise DataError("the info file's metainfo has no 'categories'; make it with `pointkd create-data kitti`")
    return {int(label): name for name, label in metainfo['categories'].items() if int(label) >= 0}


def labels_of(info: Info, names: Mapping[int, str]) -> KittiObjects:
    """Return the labels of a frame, DontCare areas included, in the order of its label file.

    An instance without a class (-1) is a DontCare area where it has no place in space, else of a class that plays no
    part.

    Raises:
        DataError: the frame has no `instances` (a file of the testing half), or one lacks an entry.
    """
    if 'instances' not in info:
        raise DataError(
            f'frame {info.get("sample_idx")}: no instances in the info file, so there is nothing to compare'
        )
    instances = info['instances']
    try:
        boxes = np.array([instance['bbox_3d'][:7] for instance in instances], dtype=np.float64).reshape(-1, 7)
        return KittiObjects(
            names=[
                names.get(instance['bbox_label'], 'DontCare' if box[0] == _NO_PLACE else 'Misc')
                for instance, box in zip(instances, boxes, strict=True)
            ],
            truncation=np.array([instance['truncated'] for instance in instances], dtype=np.float64),
            occlusion=np.array([instance['occluded'] for instance in instances], dtype=np.int64),
            alpha=np.array([instance['alpha'] for instance in instances], dtype=np.float64),
            boxes_2d=np.array([instance['bbox'] for instance in instances], dtype=np.float64).reshape(-1, 4),
            dimensions=boxes[:, [4, 5, 3]],  # from length, height, width
            location=boxes[:, :3],
            rotation_y=boxes[:, 6],
        )
    except KeyError as error:
        raise DataError(f'frame {info.get("sample_idx")}: an instance of the info file has no {error}') from error


def detections_from_lidar(
    boxes: np.ndarray, scores: np.ndarray, names: Sequence[str], camera: Camera, limits: Sequence[float]
) -> tuple[KittiObjects, Dropped]:
    """Turn predicted LiDAR boxes into KITTI detections.

    Args:
        boxes: (N, 7) x, y, z (bottom), length, width, height, yaw.
        scores: (N,).
        names: N class names.
        camera: the frame's.
        limits: x, y, z least and greatest of the bottom's centre, metres.

    Returns:
        The detections, and how many boxes were left out: outside the limits, outside the image, not finite.
    """
    inside = (boxes[:, :3] > np.asarray(limits[:3])).all(axis=1) & (boxes[:, :3] < np.asarray(limits[3:])).all(axis=1)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    keep = inside & finite
    location, dimensions, rotation_y = lidar_to_camera_boxes(boxes[keep], camera.lidar_to_camera)
    kept_names = [names[row] for row in np.flatnonzero(keep)]
    objects, dropped = _detections(location, dimensions, rotation_y, scores[keep], kept_names, camera)
    dropped.not_finite += int((~finite).sum())
    dropped.out_of_range = int((finite & ~inside).sum())
    return objects, dropped


def detections_from_camera(
    boxes: np.ndarray, scores: np.ndarray, names: Sequence[str], camera: Camera
) -> tuple[KittiObjects, Dropped]:
    """Turn predicted boxes of the camera frame into KITTI detections.

    Args:
        boxes: (N, 7) x, y, z (bottom), length, height, width, rotation_y.
        scores: (N,).
        names: N class names.
        camera: the frame's.

    Returns:
        As `detections_from_lidar`.
    """
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    kept = boxes[finite]
    kept_names = [names[row] for row in np.flatnonzero(finite)]
    objects, dropped = _detections(
        kept[:, :3], kept[:, [4, 5, 3]], wrap_angle(kept[:, 6]), scores[finite], kept_names, camera
    )
    dropped.not_finite += int((~finite).sum())
    return objects, dropped


def detections_in_image(boxes: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> tuple[KittiObjects, Dropped]:
    """Turn predicted image boxes (N, 4) into KITTI detections without alpha and place: only 2D is evaluated."""
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    count = int(finite.sum())
    objects = KittiObjects(
        names=[names[row] for row in np.flatnonzero(finite)],
        truncation=np.full(count, -1.0),
        occlusion=np.full(count, -1),
        alpha=np.full(count, _NO_ALPHA),
        boxes_2d=boxes[finite],
        dimensions=np.full((count, 3), -1.0),
        location=np.full((count, 3), _NO_PLACE),
        rotation_y=np.full(count, _NO_ALPHA),
        scores=scores[finite],
    )
    return objects, Dropped(not_finite=len(finite) - count)


def image_boxes(
    location: np.ndarray, dimensions: np.ndarray, rotation_y: np.ndarray, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Return the image boxes around 3D boxes, cut to the image.

    Only what lies in front of the camera is projected: a box that reaches behind it is cut first.

    Args:
        location: (N, 3) centres of the bottom, metres, camera frame.
        dimensions: (N, 3) h, w, l.
        rotation_y: (N,) radians.
        camera: projection and image size.

    Returns:
        boxes (N, 4) x1, y1, x2, y2 in pixels, and seen (N,) bool; boxes that are not seen mean nothing.
    """
    corners = _camera_corners(location, dimensions, rotation_y)  # (N, 8, 3)
    projected = corners @ camera.projection[:, :3].T + camera.projection[:, 3]  # u * depth, v * depth, depth
    start, end = projected[:, _EDGES[:, 0]], projected[:, _EDGES[:, 1]]  # (N, 12, 3)
    crosses = (start[..., 2] < _NEAR) != (end[..., 2] < _NEAR)
    share = np.where(crosses, _NEAR - start[..., 2], 0.0) / np.where(crosses, end[..., 2] - start[..., 2], 1.0)
    points = np.concatenate([projected, start + share[..., None] * (end - start)], axis=1)  # (N, 20, 3)
    visible = np.concatenate([projected[..., 2] >= _NEAR, crosses], axis=1)[..., None]
    pixels = points[..., :2] / np.where(visible, points[..., 2:], 1.0)
    low = np.where(visible, pixels, np.inf).min(axis=1)
    high = np.where(visible, pixels, -np.inf).max(axis=1)
    size = np.array(camera.size, dtype=np.float64)
    seen = (low < size).all(axis=1) & (high > 0).all(axis=1)
    return np.concatenate([np.maximum(low, 0.0), np.minimum(high, size)], axis=1), seen


def _detections(
    location: np.ndarray,
    dimensions: np.ndarray,
    rotation_y: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    camera: Camera,
) -> tuple[KittiObjects, Dropped]:
    """Return the detections that the image shows, and how many it does not."""
    boxes, seen = image_boxes(location, dimensions, rotation_y, camera)
    count = int(seen.sum())
    objects = KittiObjects(
        names=[names[row] for row in np.flatnonzero(seen)],
        truncation=np.full(count, -1.0),
        occlusion=np.full(count, -1),
        alpha=wrap_angle(rotation_y - np.arctan2(location[:, 0], location[:, 2]))[seen],
        boxes_2d=boxes[seen],
        dimensions=dimensions[seen],
        location=location[seen],
        rotation_y=rotation_y[seen],
        scores=scores[seen],
    )
    return objects, Dropped(out_of_image=len(seen) - count)


def _camera_corners(location: np.ndarray, dimensions: np.ndarray, rotation_y: np.ndarray) -> np.ndarray:
    """Return (N, 8, 3) corners in the camera frame: four of the bottom, then the four above them."""
    height, width, length = (dimensions[:, column : column + 1] for column in range(3))
    along = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * length / 2
    across = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * width / 2
    up = np.array([0, 0, 0, 0, 1, 1, 1, 1]) * height
    cos, sin = np.cos(rotation_y)[:, None], np.sin(rotation_y)[:, None]
    corners = np.stack([along * cos + across * sin, -up, across * cos - along * sin], axis=-1)
    return corners + location[:, None]
