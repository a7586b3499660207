"""One frame of a KITTI data set as mmdet3d's info files describe it (format 1.1, read by mmdet3d 1.x).

Field by field what `mmdet3d`'s own converter writes, which needs every image and a testing half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pointkd.core.boxes import box_corners, camera_to_lidar_boxes
from pointkd.core.kitti import Calibration, KittiObjects
from pointkd.datasets.kitti_folder import CLASSES, IGNORED

INFO_VERSION = '1.1'
# KITTI's rules for easy, moderate, hard: height of the 2D box above, occlusion and truncation at most.
DIFFICULTIES = ((40.0, 0, 0.15), (25.0, 1, 0.30), (25.0, 2, 0.50))
MONO_CLASSES = CLASSES
_POINT_FEATURES = 4


def metainfo(classes: Sequence[str], ignored: Sequence[str] = ()) -> dict[str, Any]:
    """Return the head of an info file: numbers of the classes (-1: ignored), name and version of the format."""
    categories = {name: number for number, name in enumerate(classes)}
    categories.update(dict.fromkeys(ignored, -1))
    return {'categories': categories, 'dataset': 'kitti', 'info_version': INFO_VERSION}


def all_classes(extra: Sequence[str] = ()) -> list[str]:
    """Return KITTI's classes in mmdet3d's order, then others."""
    return [*CLASSES, *(name for name in extra if name not in CLASSES)]


def frame_info(
    frame: str,
    entries: dict[str, np.ndarray],
    calibration: Calibration,
    size: tuple[int, int],
    *,
    objects: KittiObjects | None = None,
    counts: np.ndarray | None = None,
    classes: Sequence[str] = CLASSES,
) -> dict[str, Any]:
    """Return the entry of a frame in an info file.

    Args:
        frame: its name, digits.
        entries: every matrix of its calibration file.
        calibration: the three of them that are needed.
        size: width and height of the image.
        objects: its labels; None for a frame without (testing half).
        counts: (N,) points in each object's box, -1 for DontCare.
        classes: numbers of the classes.

    Returns:
        A dict of plain numbers, lists and strings.
    """
    info: dict[str, Any] = {
        'sample_idx': int(frame),
        'images': _images(frame, entries, calibration, size),
        'lidar_points': _lidar_points(frame, entries, calibration),
        'instances': [],
    }
    if objects is not None:
        numbers = np.zeros(len(objects), dtype=np.int64) if counts is None else counts
        info['instances'] = _instances(objects, numbers, calibration, classes)
        info['cam_instances'] = {'CAM2': _camera_instances(objects, calibration, size, classes)}
    return info


def difficulty(objects: KittiObjects) -> np.ndarray:
    """Return (N,) 0 easy, 1 moderate, 2 hard, -1 counted in none of them."""
    height = objects.boxes_2d[:, 3] - objects.boxes_2d[:, 1]
    fits = [
        (height > least) & (objects.occlusion <= occlusion) & (objects.truncation <= truncation)
        for least, occlusion, truncation in DIFFICULTIES
    ]
    return np.select(fits, [0, 1, 2], -1)


def lidar_boxes(objects: KittiObjects, calibration: Calibration) -> np.ndarray:
    """Return (N, 7) boxes x, y, z (bottom), length, width, height, yaw of objects, float64, LiDAR frame.

    The matrix is rounded to float32 first, as in the info file that a data set reads.
    """
    matrix = _lidar_to_camera(calibration).astype(np.float64)
    return camera_to_lidar_boxes(objects.location, objects.dimensions, objects.rotation_y, matrix)


def select(objects: KittiObjects, mask: np.ndarray) -> KittiObjects:
    """Return the objects that a mask (N,) keeps."""
    return KittiObjects(
        names=[name for name, keep in zip(objects.names, mask, strict=True) if keep],
        truncation=objects.truncation[mask],
        occlusion=objects.occlusion[mask],
        alpha=objects.alpha[mask],
        boxes_2d=objects.boxes_2d[mask],
        dimensions=objects.dimensions[mask],
        location=objects.location[mask],
        rotation_y=objects.rotation_y[mask],
        scores=None if objects.scores is None else objects.scores[mask],
    )


def _square(matrix: np.ndarray) -> np.ndarray:
    """Return a (3, 3) or (3, 4) matrix as (4, 4)."""
    whole = np.eye(4, dtype=matrix.dtype)
    whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    return whole


def _lidar_to_camera(calibration: Calibration) -> np.ndarray:
    """Return (4, 4) float32, the product of the float32 matrices."""
    rectification = _square(calibration.rectification).astype(np.float32)
    return rectification @ _square(calibration.lidar_to_reference).astype(np.float32)


def _images(
    frame: str, entries: dict[str, np.ndarray], calibration: Calibration, size: tuple[int, int]
) -> dict[str, Any]:
    """Return the cameras: CAM2 whole, the others (where the file has them) with their matrices."""
    lidar_to_camera = _lidar_to_camera(calibration)
    images: dict[str, Any] = {}
    for number in range(4):
        projection = entries.get(f'P{number}')
        if projection is not None and projection.shape == (3, 4):
            matrix = _square(projection)
            images[f'CAM{number}'] = {'cam2img': matrix.tolist(), 'lidar2img': (matrix @ lidar_to_camera).tolist()}
    images['CAM2'] |= {
        'img_path': f'{frame}.png',
        'height': size[1],
        'width': size[0],
        'lidar2cam': lidar_to_camera.tolist(),
    }
    images['R0_rect'] = _square(calibration.rectification).astype(np.float32).tolist()
    return images


def _lidar_points(frame: str, entries: dict[str, np.ndarray], calibration: Calibration) -> dict[str, Any]:
    """Return the point cloud's file and frames."""
    points: dict[str, Any] = {
        'num_pts_feats': _POINT_FEATURES,
        'lidar_path': f'{frame}.bin',
        'Tr_velo_to_cam': _square(calibration.lidar_to_reference).astype(np.float32).tolist(),
    }
    inertial = entries.get('Tr_imu_to_velo')
    if inertial is not None and inertial.shape == (3, 4):
        points['Tr_imu_to_velo'] = _square(inertial).astype(np.float32).tolist()
    return points


def _middles(objects: KittiObjects) -> np.ndarray:
    """Return (N, 3) middles of the boxes in the camera frame (the location is the middle of the bottom)."""
    return objects.location - objects.dimensions[:, :1] * [0.0, 0.5, 0.0]


def _instances(
    objects: KittiObjects, counts: np.ndarray, calibration: Calibration, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one entry a row of the label file, DontCare included (label -1)."""
    pixels, depth = calibration.project(_middles(objects))
    levels = difficulty(objects)
    index = np.cumsum([name != IGNORED for name in objects.names]) - 1
    numbers = {name: number for number, name in enumerate(classes)}
    instances = []
    for row, name in enumerate(objects.names):
        label = numbers.get(name, -1)
        instances.append(
            {
                'bbox': objects.boxes_2d[row].tolist(),
                'bbox_label': label,
                'bbox_3d': _box_3d(objects, row),
                'bbox_label_3d': label,
                'depth': float(depth[row]),
                'center_2d': pixels[row].tolist(),
                'num_lidar_pts': int(counts[row]),
                'difficulty': int(levels[row]),
                'truncated': float(objects.truncation[row]),
                'occluded': int(objects.occlusion[row]),
                'alpha': float(objects.alpha[row]),
                'score': 0.0 if objects.scores is None else float(objects.scores[row]),
                'index': int(index[row]) if name != IGNORED else -1,
                'group_id': row,
            }
        )
    return instances


def _box_3d(objects: KittiObjects, row: int) -> list[float]:
    """Return x, y, z (bottom), length, height, width, rotation_y in the camera frame."""
    height, width, length = objects.dimensions[row].tolist()
    return [*objects.location[row].tolist(), length, height, width, float(objects.rotation_y[row])]


def _camera_instances(
    objects: KittiObjects, calibration: Calibration, size: tuple[int, int], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the objects that a camera detector learns from: their projected boxes, cut to the image."""
    pixels, depth = calibration.project(_middles(objects))
    instances = []
    for row, name in enumerate(objects.names):
        if name not in classes or objects.occlusion[row] not in (0, 1, 2, 3) or depth[row] <= 0:
            continue
        box = _projected_box(objects, row, calibration, size)
        if box is None:
            continue
        label = classes.index(name)
        instances.append(
            {
                'bbox_label': label,
                'bbox_label_3d': label,
                'bbox': box,
                'bbox_3d_isvalid': True,
                'bbox_3d': np.array(_box_3d(objects, row), dtype=np.float32).tolist(),
                'velocity': -1,
                'center_2d': pixels[row].tolist(),
                'depth': float(depth[row]),
            }
        )
    return instances


def _projected_box(
    objects: KittiObjects, row: int, calibration: Calibration, size: tuple[int, int]
) -> list[float] | None:
    """Return x1, y1, x2, y2 around what the image shows of an object's box, None where it shows nothing."""
    from shapely import MultiPoint, Polygon, box

    corners = _camera_corners(objects, row)
    pixels, _ = calibration.project(corners[corners[:, 2] > 0])
    shown = MultiPoint(pixels).convex_hull.intersection(box(0, 0, *size))
    if not isinstance(shown, Polygon) or shown.is_empty:
        return None
    return [float(value) for value in shown.bounds]


def _camera_corners(objects: KittiObjects, row: int) -> np.ndarray:
    """Return (8, 3) corners of an object's box in the camera frame (x right, y down, z forward)."""
    x, y, z = objects.location[row]
    height, width, length = objects.dimensions[row]
    upright = np.array([[z, -x, -y, length, width, height, -objects.rotation_y[row] - np.pi / 2]])
    corners = box_corners(upright)[0]  # x forward, y left, z up, with the camera as origin
    return np.stack([-corners[:, 1], -corners[:, 2], corners[:, 0]], axis=1)
