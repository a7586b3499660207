"""The files of a KITTI object data set: labels and results, calibration, point clouds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.files import atomic_write, write_text

LABEL_COLUMNS = 15  # a result row has one more, the score


@dataclass
class KittiObjects:
    """The rows of a label or result file.

    Attributes:
        names: (N,) class names as written.
        truncation: (N,) share outside the image, 0..1 (-1 in results).
        occlusion: (N,) int, 0 visible .. 3 unknown (-1 in results).
        alpha: (N,) observation angle, radians (-10 where unknown).
        boxes_2d: (N, 4) x1, y1, x2, y2 in pixels.
        dimensions: (N, 3) h, w, l in metres.
        location: (N, 3) centre of the bottom in the rectified camera frame, metres.
        rotation_y: (N,) radians.
        scores: (N,) for results, None for labels.
    """

    names: list[str] = field(default_factory=list)
    truncation: np.ndarray = field(default_factory=lambda: np.zeros(0))
    occlusion: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    alpha: np.ndarray = field(default_factory=lambda: np.zeros(0))
    boxes_2d: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    dimensions: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    location: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    rotation_y: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Calibration:
    """Camera 2 and LiDAR of one frame.

    Attributes:
        projection: (3, 4) P2, rectified camera to pixels.
        rectification: (3, 3) R0_rect.
        lidar_to_reference: (3, 4) Tr_velo_to_cam.
    """

    projection: np.ndarray
    rectification: np.ndarray
    lidar_to_reference: np.ndarray

    @property
    def lidar_to_camera(self) -> np.ndarray:
        """(4, 4) rectified camera frame from LiDAR frame."""
        lidar, rect = np.eye(4), np.eye(4)
        lidar[:3] = self.lidar_to_reference
        rect[:3, :3] = self.rectification
        return rect @ lidar

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points of the rectified camera frame into the image.

        Args:
            points: (N, 3) metres.

        Returns:
            pixels (N, 2) and depth (N,) in metres; pixels mean nothing where the depth is not positive.
        """
        homogeneous = np.asarray(points, dtype=np.float64) @ self.projection[:, :3].T + self.projection[:, 3]
        depth = homogeneous[:, 2]
        safe = np.where(np.abs(depth) > 1e-9, depth, 1e-9)
        return homogeneous[:, :2] / safe[:, None], depth


def read_objects(path: str | Path) -> KittiObjects:
    """Read a label file (15 columns) or a result file (16 columns).

    Args:
        path: text file, one object a row; blank lines are skipped.

    Returns:
        The objects, with scores when every row has one.

    Raises:
        DataError: the file is missing, a row has another number of columns, or a column is not a number.
    """
    path = Path(path)
    names: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) not in (LABEL_COLUMNS, LABEL_COLUMNS + 1):
            raise DataError(f'{path}:{number}: expected 15 columns (16 with a score), got {len(words)}')
        try:
            values = [float(word) for word in words[1:]]
        except ValueError as error:
            raise DataError(f'{path}:{number}: every column after the class must be a number ({error})') from error
        names.append(words[0])
        rows.append(values)
    if not rows:
        return KittiObjects()
    if len({len(row) for row in rows}) > 1:
        raise DataError(f'{path}: some rows have a score and some have not')
    table = np.array(rows, dtype=np.float64)
    return KittiObjects(
        names=names,
        truncation=table[:, 0],
        occlusion=np.nan_to_num(table[:, 1], nan=3.0).clip(-1, 3).astype(np.int64),
        alpha=table[:, 2],
        boxes_2d=table[:, 3:7],
        dimensions=table[:, 7:10],
        location=table[:, 10:13],
        rotation_y=table[:, 13],
        scores=table[:, 14] if table.shape[1] == LABEL_COLUMNS else None,
    )


def write_objects(path: str | Path, objects: KittiObjects) -> None:
    """Write a label file, or a result file where the objects have scores (4 decimals, score 6)."""
    lines = []
    for index, name in enumerate(objects.names):
        numbers = [
            objects.alpha[index],
            *objects.boxes_2d[index],
            *objects.dimensions[index],
            *objects.location[index],
            objects.rotation_y[index],
        ]
        row = f'{name} {objects.truncation[index]:.2f} {int(objects.occlusion[index])} '
        row += ' '.join(f'{number:.4f}' for number in numbers)
        if objects.scores is not None:
            row += f' {objects.scores[index]:.6f}'
        lines.append(row + '\n')
    write_text(path, ''.join(lines))


def read_calibration_entries(path: str | Path) -> dict[str, np.ndarray]:
    """Read every entry of a calibration file: P0 to P3 (3, 4), R0_rect (3, 3), Tr_velo_to_cam and others (3, 4).

    Returns:
        Matrix by key; entries of 9 or 12 values are given their shape, others are left flat.

    Raises:
        DataError: the file is missing, or a value is not a number.
    """
    path = Path(path)
    entries: dict[str, np.ndarray] = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        key, _, values = line.partition(':')
        if not values.strip():
            continue
        try:
            matrix = np.array([float(word) for word in values.split()])
        except ValueError as error:
            raise DataError(f'{path}:{number}: {key} must be numbers ({error})') from error
        entries[key.strip()] = matrix.reshape({9: (3, 3), 12: (3, 4)}.get(matrix.size, (-1,)))
    return entries


def read_calibration(path: str | Path) -> Calibration:
    """Read the entries P2, R0_rect and Tr_velo_to_cam of a calibration file.

    Raises:
        DataError: the file is missing, an entry is absent, has another number of values, or is not finite.
    """
    entries = read_calibration_entries(path)

    def entry(key: str, shape: tuple[int, int]) -> np.ndarray:
        if key not in entries:
            raise DataError(f'{path}: entry {key} is missing')
        values = entries[key]
        if values.shape != shape or not np.isfinite(values).all():
            raise DataError(f'{path}: {key} must be {shape[0] * shape[1]} finite numbers, got {values.size}')
        return values

    return Calibration(entry('P2', (3, 4)), entry('R0_rect', (3, 3)), entry('Tr_velo_to_cam', (3, 4)))


def write_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write a calibration file with all the entries that KITTI tools ask for (the four cameras are the same)."""

    def row(key: str, matrix: np.ndarray) -> str:
        return f'{key}: ' + ' '.join(f'{value:.12e}' for value in matrix.ravel()) + '\n'

    text = ''.join(row(f'P{camera}', calibration.projection) for camera in range(4))
    text += row('R0_rect', calibration.rectification)
    text += row('Tr_velo_to_cam', calibration.lidar_to_reference)
    text += row('Tr_imu_to_velo', np.eye(4)[:3])
    write_text(path, text)


def read_points(path: str | Path, columns: int = 4) -> np.ndarray:
    """Read a point cloud of float32 rows.

    Args:
        path: binary file.
        columns: numbers a point (KITTI: x, y, z, reflectance).

    Returns:
        (N, columns) float32, metres, LiDAR frame. Values are not checked: see `pointkd check-data`.

    Raises:
        DataError: the file is missing or its size is not a whole number of points.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    if len(content) % (4 * columns):
        raise DataError(
            f'{path}: {len(content)} bytes are not a whole number of points of {columns} float32; '
            'the file is truncated or has other columns'
        )
    return np.frombuffer(content, dtype=np.float32).reshape(-1, columns).copy()


def write_points(path: str | Path, points: np.ndarray) -> None:
    """Write a point cloud as rows of little-endian float32."""
    with atomic_write(path) as file:
        file.write(np.ascontiguousarray(points, dtype='<f4').tobytes())


def read_frame_list(path: str | Path) -> list[str]:
    """Read a list of frames (`ImageSets/train.txt`), one name a line, blank lines skipped.

    Raises:
        DataError: the list is missing, or a name is not made of digits as KITTI's are.
    """
    path = Path(path)
    frames = [line.strip() for line in _read_text(path).splitlines() if line.strip()]
    for frame in frames:
        if not (frame.isascii() and frame.isdigit()):
            raise DataError(f'{path}: {frame!r} is no frame; expected digits, as in 000012')
    return frames


def _read_text(path: Path) -> str:
    """Return the text of a file, or say why not."""
    try:
        return path.read_text(encoding='utf-8')
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is not a text file ({error.reason})') from error
