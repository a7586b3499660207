"""A small data set in KITTI layout, written by hand: ground, one car, one pedestrian, no open3d needed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from pointkd.core.boxes import box_corners, lidar_to_camera_boxes, wrap_angle
from pointkd.core.kitti import Calibration, KittiObjects, write_calibration, write_objects, write_points
from pointkd.datasets.kitti_folder import KittiFolder

SIZE = (1242, 375)
CALIBRATION = Calibration(
    projection=np.array([[720.0, 0, 610, 45], [0, 720, 172, 0.2], [0, 0, 1, 0.003]]),
    rectification=np.eye(3),
    lidar_to_reference=np.array([[0.0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, -0.27]]),
)
BOXES = np.array([[12.0, 2.0, -1.7, 3.9, 1.6, 1.5, 0.2], [18.0, -3.0, -1.7, 0.8, 0.6, 1.75, 1.0]])
NAMES = ('Car', 'Pedestrian')


def box_points(box: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread over the inside of a box (7,): (count, 4)."""
    local = rng.uniform(-0.48, 0.48, size=(count, 3)) * box[3:6] + [0, 0, box[5] / 2]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    x, y = local[:, 0] * cos - local[:, 1] * sin, local[:, 0] * sin + local[:, 1] * cos
    return np.stack([x + box[0], y + box[1], local[:, 2] + box[2], rng.uniform(0, 1, count)], axis=1)


def cloud(seed: int = 0) -> np.ndarray:
    """Ground around z = -1.73 and points in both objects: (N, 4) float32."""
    rng = np.random.default_rng(seed)
    ground = np.stack(
        [rng.uniform(2, 60, 3000), rng.uniform(-20, 20, 3000), rng.normal(-1.73, 0.02, 3000), rng.uniform(0, 1, 3000)],
        axis=1,
    )
    return np.concatenate([ground, *(box_points(box, 200, rng) for box in BOXES)]).astype(np.float32)


def labels(names: tuple[str, ...] = NAMES, boxes: np.ndarray = BOXES, void: int = 1) -> KittiObjects:
    """Labels of boxes as the camera sees them, and a number of DontCare rows."""
    location, dimensions, rotation = lidar_to_camera_boxes(boxes, CALIBRATION.lidar_to_camera)
    matrix = CALIBRATION.lidar_to_camera
    boxes_2d = np.zeros((len(boxes), 4))
    for row, corners in enumerate(box_corners(boxes)):
        pixels, _ = CALIBRATION.project(corners @ matrix[:3, :3].T + matrix[:3, 3])
        boxes_2d[row] = [*pixels.min(axis=0), *pixels.max(axis=0)]
    count = len(boxes)
    return KittiObjects(
        names=[*names, *['DontCare'] * void],
        truncation=np.concatenate([np.zeros(count), np.full(void, -1.0)]),
        occlusion=np.concatenate([np.zeros(count, dtype=np.int64), np.full(void, -1)]),
        alpha=np.concatenate([wrap_angle(rotation - np.arctan2(location[:, 0], location[:, 2])), np.full(void, -10.0)]),
        boxes_2d=np.concatenate([boxes_2d, np.tile([600.0, 170, 620, 190], (void, 1))]),
        dimensions=np.concatenate([dimensions, np.full((void, 3), -1.0)]),
        location=np.concatenate([location, np.full((void, 3), -1000.0)]),
        rotation_y=np.concatenate([rotation, np.full(void, -10.0)]),
    )


def png(width: int = SIZE[0], height: int = SIZE[1]) -> bytes:
    """A black PNG image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + checksum

    head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b'\0' + b'\0' * width) * height)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')


def write_frame(
    root: Path, frame: str = '000000', half: str = 'training', objects: KittiObjects | None = None, image: bool = True
) -> KittiFolder:
    """Write one good frame."""
    folder = KittiFolder(root, half)
    write_points(folder.cloud(frame), cloud(int(frame)))
    write_calibration(folder.calibration(frame), CALIBRATION)
    if half == 'training':
        write_objects(folder.label(frame), labels() if objects is None else objects)
    if image:
        folder.image(frame).parent.mkdir(parents=True, exist_ok=True)
        folder.image(frame).write_bytes(png())
    return folder


def write_root(root: Path, train: int = 2, val: int = 1) -> Path:
    """Write a small data set with its lists and return its root."""
    names = [f'{number:06d}' for number in range(train + val)]
    for name in names:
        write_frame(root, name)
    lists = {'train': names[:train], 'val': names[train:]}
    (root / 'ImageSets').mkdir(parents=True, exist_ok=True)
    for part, frames in lists.items():
        (root / 'ImageSets' / f'{part}.txt').write_text(''.join(f'{frame}\n' for frame in frames))
    return root
