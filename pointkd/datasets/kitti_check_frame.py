"""Is a frame of a data set in KITTI layout fit for training? Names what is wrong with its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from pointkd.core.boxes import points_in_box
from pointkd.core.errors import DataError
from pointkd.core.kitti import Calibration, KittiObjects, read_calibration, read_objects, read_points
from pointkd.datasets.kitti_folder import CLASSES, IGNORED, KittiFolder, in_image, png_size, size_from_calibration
from pointkd.datasets.kitti_infos import difficulty, lidar_boxes
from pointkd.datasets.kitti_parts import Task
from pointkd.datasets.kitti_statistics import FrameNumbers, count

Content = TypeVar('Content')

# Kinds of problem, and whether one makes its frame broken (else it is only worth a look).
KINDS = {
    'bad list': True,
    'missing file': True,
    'bad cloud': True,
    'empty cloud': True,
    'NaN points': True,
    'wrong frame': True,
    'bad calibration': True,
    'bad image': True,
    'bad label': True,
    'unknown class': True,
    'zero 2D box': True,
    'box without points': True,
    'image/LiDAR mismatch': True,
    'far box without points': False,
    'only ground in a box': False,
    'odd reflectance': False,
}
VISIBLE_M = 40.0  # a box nearer than this, and not labelled as hidden or cut off, must hold a point
GROUND_PART_M = 0.2  # what lies in the lowest part of a box only may well be the ground
GROUND_M = (-4.0, -0.4)  # where the ground is looked for below a LiDAR on a vehicle
MAX_SPREAD_M, MAX_DISTANCE_M, MAX_SIZE_M = 25.0, 1000.0, 60.0
MATCH_SHARE, MATCH_POINTS, MATCH_MARGIN = 0.5, 10, 0.1  # real frames have 0.9 and more


@dataclass(frozen=True)
class Problem:
    """Something wrong with a frame.

    Attributes:
        kind: a key of `KINDS`.
        message: what was found where.
    """

    kind: str
    message: str


@dataclass
class FrameReport:
    """What was found in a frame.

    Attributes:
        task: the frame.
        problems: what is wrong, nothing where all is well.
        numbers: objects and points, None where they could not be counted.
        levels: (O,) difficulty of the labelled objects, as `numbers.names`.
        has_image: whether it came with its image.
    """

    task: Task
    problems: list[Problem] = field(default_factory=list)
    numbers: FrameNumbers | None = None
    levels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    has_image: bool = False

    def add(self, kind: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, message))

    def broken(self) -> bool:
        """Return whether training should not use the frame."""
        return any(KINDS[problem.kind] for problem in self.problems)


def check_frame(root: Path, classes: Sequence[str], task: Task) -> FrameReport:
    """Check one frame's files, each alone and against the others.

    Args:
        root: data set in KITTI layout.
        classes: known classes besides KITTI's own.
        task: the frame.

    Returns:
        The report; nothing that a file holds makes this raise.
    """
    folder, report = KittiFolder(root, task.half), FrameReport(task)
    points = _read(report, 'bad cloud', folder.cloud(task.frame), read_points)
    calibration = _read(report, 'bad calibration', folder.calibration(task.frame), read_calibration)
    objects = _read(report, 'bad label', folder.label(task.frame), read_objects) if task.labelled else None
    size = _image_size(report, folder.image(task.frame))
    if points is not None:
        points = check_points(report, points)
    if calibration is not None and not check_calibration(report, calibration):
        calibration = None
    if objects is not None and not check_objects(report, objects, [*CLASSES, IGNORED, *classes]):
        objects = None
    if points is not None and calibration is not None and objects is not None:
        check_together(report, points, calibration, objects, size or size_from_calibration(calibration))
    return report


def _read(report: FrameReport, kind: str, path: Path, reader: Callable[[Path], Content]) -> Content | None:
    """Return a file's content, or note what is wrong with it."""
    if not path.is_file():
        report.add('missing file', f'{path} is missing')
        return None
    try:
        return reader(path)
    except DataError as error:
        report.add(kind, str(error))
        return None


def _image_size(report: FrameReport, path: Path) -> tuple[int, int] | None:
    """Return the size of the frame's image; None where there is none (LiDAR training needs none) or it is broken."""
    if not path.is_file():
        return None
    report.has_image = True
    return _read(report, 'bad image', path, png_size)


def check_points(report: FrameReport, points: np.ndarray) -> np.ndarray | None:
    """Check a point cloud (N, 4) by itself and return its finite points, None where nothing is left."""
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        report.add('NaN points', f'{int((~finite).sum())} of {len(points)} points have a NaN or infinite value')
    points = points[finite]
    if not len(points):
        report.add('empty cloud', 'the cloud has no (finite) point')
        return None
    if points[:, 3].min() < 0.0 or points[:, 3].max() > 1.0:
        low, high = points[:, 3].min(), points[:, 3].max()
        report.add('odd reflectance', f'reflectance is {low:.3g} to {high:.3g}, expected 0 to 1')
    message = _wrong_frame(points[:, :3].astype(np.float64))
    if message:
        report.add('wrong frame', f'{message}; expected metres, x forward, y left, z up, the LiDAR as origin')
    return points


def _wrong_frame(points: np.ndarray) -> str | None:
    """Return why points (N, 3) can't be in the LiDAR frame, None where they can."""
    farthest = np.abs(points).max()
    if farthest > MAX_DISTANCE_M:
        return f'a point is {farthest:.0f} m away'
    flat = np.hypot(points[:, 0], points[:, 1])
    if np.percentile(flat, 95) < 2.0:
        return f'95 % of the points are within {np.percentile(flat, 95):.2f} m'
    ahead = float((points[:, 0] > 0).mean())
    if ahead < 0.1:
        return f'only {ahead:.0%} of the points are ahead of the LiDAR'
    low, high = np.percentile(points[:, 2], [2, 98])
    if high - low > MAX_SPREAD_M:
        return f'heights reach from {low:.1f} to {high:.1f} m'
    near = points[flat < 30.0]
    ground = float(np.percentile(near[:, 2], 10)) if len(near) >= 100 else None
    if ground is not None and not GROUND_M[0] <= ground <= GROUND_M[1]:
        return f'the lowest points around the car, its ground, are at z = {ground:.2f} m'
    return None


def check_calibration(report: FrameReport, calibration: Calibration) -> bool:
    """Check a calibration by itself; return whether it can be used."""
    reasons = []
    turns = {'R0_rect': calibration.rectification, 'Tr_velo_to_cam': calibration.lidar_to_reference[:, :3]}
    for key, turn in turns.items():
        if np.abs(turn @ turn.T - np.eye(3)).max() > 0.02 or np.linalg.det(turn) < 0:
            reasons.append(f'{key} holds no rotation')
    projection = calibration.projection
    if projection[0, 0] <= 0 or projection[1, 1] <= 0:
        reasons.append(f'P2 has the focal lengths {projection[0, 0]:.4g} and {projection[1, 1]:.4g}')
    if np.abs(projection[2, :3] - [0, 0, 1]).max() > 1e-3:
        reasons.append('the third row of P2 is not 0 0 1')
    if not reasons and calibration.lidar_to_camera[2, 0] < 0.5:
        reasons.append("the camera does not look along the LiDAR's x axis")
    for reason in reasons:
        report.add('bad calibration', reason)
    return not reasons


def check_objects(report: FrameReport, objects: KittiObjects, known: Sequence[str]) -> bool:
    """Check labels by themselves; return whether their boxes can be used."""
    usable = True
    for row, name in enumerate(objects.names):
        title = _title(objects, row)
        if name not in known:
            report.add('unknown class', f'{title}: expected one of {", ".join(known)}')
        x1, y1, x2, y2 = objects.boxes_2d[row]
        if not np.isfinite(objects.boxes_2d[row]).all():
            report.add('bad label', f'{title}: the 2D box has a NaN or infinite value')
            usable = False
        elif x2 <= x1 or y2 <= y1:
            message = f'{title}: the 2D box {x1:g} {y1:g} {x2:g} {y2:g} has no area, so the metric never counts it'
            report.add('zero 2D box', message)
        if name == IGNORED:
            continue
        numbers = np.concatenate([objects.dimensions[row], objects.location[row], objects.rotation_y[row : row + 1]])
        if not np.isfinite(numbers).all():
            report.add('bad label', f'{title}: the 3D box has a NaN or infinite value')
            usable = False
        elif objects.dimensions[row].min() <= 0 or objects.dimensions[row].max() > MAX_SIZE_M:
            sizes = ' '.join(f'{value:g}' for value in objects.dimensions[row])
            report.add('bad label', f'{title}: height, width, length {sizes} are impossible')
            usable = False
    return usable


def _title(objects: KittiObjects, row: int) -> str:
    """Return how a message calls a row of the label file."""
    return f'row {row + 1} ({objects.names[row]})'


def check_together(
    report: FrameReport, points: np.ndarray, calibration: Calibration, objects: KittiObjects, size: tuple[int, int]
) -> None:
    """Check labels against points and image, and count."""
    report.numbers = count(points, objects, calibration, size)
    report.levels = difficulty(objects)[[name != IGNORED for name in objects.names]]
    boxes = lidar_boxes(objects, calibration)
    _check_image(report, objects, size)
    _check_filled(report, points, objects, boxes)
    _check_match(report, points[in_image(points, calibration, size)], calibration, objects, boxes)


def _check_filled(report: FrameReport, points: np.ndarray, objects: KittiObjects, boxes: np.ndarray) -> None:
    """Note boxes that hold no point, or none above the ground."""
    for row, box in enumerate(boxes):
        own = points[points_in_box(points, box)]
        if objects.names[row] == IGNORED or (own[:, 2] > box[2] + GROUND_PART_M).any():
            continue
        distance = float(np.hypot(box[0], box[1]))
        where = f'{_title(objects, row)}, {distance:.1f} m away, occlusion {objects.occlusion[row]}'
        expected = distance < VISIBLE_M and objects.occlusion[row] < 3 and objects.truncation[row] < 0.9
        if not len(own):
            kind = 'box without points' if expected else 'far box without points'
            report.add(kind, f'{where}: its box holds no point')
        elif expected:
            report.add('only ground in a box', f'{where}: no point of its box is above the lowest {GROUND_PART_M} m')


def _check_match(
    report: FrameReport, points: np.ndarray, calibration: Calibration, objects: KittiObjects, boxes: np.ndarray
) -> None:
    """Note objects whose points fall beside their 2D box: image, calibration or labels are of another frame."""
    matrix = calibration.lidar_to_camera
    for row, box in enumerate(boxes):
        own = points[points_in_box(points, box)]
        if objects.names[row] == IGNORED or len(own) < MATCH_POINTS:
            continue
        pixels, _ = calibration.project(own[:, :3].astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3])
        corner, opposite = objects.boxes_2d[row, :2], objects.boxes_2d[row, 2:]
        margin = MATCH_MARGIN * np.maximum(opposite - corner, 0.0) + 2.0
        inside = int(((pixels >= corner - margin) & (pixels <= opposite + margin)).all(axis=1).sum())
        if inside < MATCH_SHARE * len(own):
            message = f'{_title(objects, row)}: only {inside} of the {len(own)} points in its 3D box are in its 2D box'
            report.add('image/LiDAR mismatch', message)


def _check_image(report: FrameReport, objects: KittiObjects, size: tuple[int, int]) -> None:
    """Note 2D boxes that reach out of the frame's own image."""
    if report.has_image and len(objects) and (objects.boxes_2d[:, 2:] > np.array(size) + 1.0).any():
        far_x, far_y = objects.boxes_2d[:, 2:].max(axis=0)
        message = f'2D boxes reach to x = {far_x:g}, y = {far_y:g}, but the image has {size[0]} x {size[1]} pixels'
        report.add('image/LiDAR mismatch', message)
