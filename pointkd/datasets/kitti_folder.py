"""Where the files of a data set in KITTI layout lie, how large its images are, which points a camera sees."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.kitti import Calibration

CLASSES = ('Pedestrian', 'Cyclist', 'Car', 'Van', 'Truck', 'Person_sitting', 'Tram', 'Misc')
IGNORED = 'DontCare'
# Width, height by the focal length of the rectified camera: one recording day each.
KITTI_SIZES = {
    721.5377: (1242, 375),
    707.0493: (1224, 370),
    718.3351: (1238, 374),
    707.0912: (1226, 370),
    718.856: (1241, 376),
}
DEFAULT_SIZE = (1242, 375)
_PNG = b'\x89PNG\r\n\x1a\n'


@dataclass(frozen=True)
class KittiFolder:
    """The files of one half (`training` or `testing`) of a data set in KITTI layout.

    Attributes:
        root: folder that holds `training/` and `ImageSets/`.
        half: `training` or `testing`.
    """

    root: Path
    half: str = 'training'

    def cloud(self, frame: str) -> Path:
        """Path of a frame's point cloud."""
        return self.root / self.half / 'velodyne' / f'{frame}.bin'

    def reduced_cloud(self, frame: str) -> Path:
        """Path of a frame's points that the camera sees."""
        return self.root / self.half / 'velodyne_reduced' / f'{frame}.bin'

    def label(self, frame: str) -> Path:
        """Path of a frame's label file."""
        return self.root / self.half / 'label_2' / f'{frame}.txt'

    def calibration(self, frame: str) -> Path:
        """Path of a frame's calibration file."""
        return self.root / self.half / 'calib' / f'{frame}.txt'

    def image(self, frame: str) -> Path:
        """Path of a frame's image."""
        return self.root / self.half / 'image_2' / f'{frame}.png'

    def list_path(self, name: str) -> Path:
        """Path of a list of frames."""
        return self.root / 'ImageSets' / f'{name}.txt'


def png_size(path: str | Path) -> tuple[int, int]:
    """Return width and height of a PNG file, from its header.

    Raises:
        DataError: the file is missing, is no PNG, or ends too early.
    """
    path = Path(path)
    try:
        with open(path, 'rb') as file:
            head = file.read(24)
            file.seek(max(path.stat().st_size - 12, 0))
            tail = file.read(12)
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    if len(head) < 24 or head[:8] != _PNG or head[12:16] != b'IHDR':
        raise DataError(f'{path}: is not a PNG image')
    if tail[4:8] != b'IEND':
        raise DataError(f'{path}: the image is truncated')
    width, height = struct.unpack('>II', head[16:24])
    return int(width), int(height)


def size_from_calibration(calibration: Calibration) -> tuple[int, int]:
    """Return the image size that a calibration suggests, for frames that came without their image.

    A focal length of KITTI's five recording days gives the size of that day. Elsewhere the principal point is taken
    for the middle; where it is not positive the size is 1242 x 375.
    """
    focal, centre = calibration.projection[0, 0], calibration.projection[:2, 2]
    for known, size in KITTI_SIZES.items():
        if abs(focal - known) < 0.01:
            return size
    if (centre < 1.0).any():
        return DEFAULT_SIZE
    width, height = np.round(2 * centre).astype(int)
    return int(width), int(height)


def image_size(folder: KittiFolder, frame: str, calibration: Calibration) -> tuple[tuple[int, int], bool]:
    """Return a frame's image size (width, height) and whether it was read from the image itself."""
    path = folder.image(frame)
    if path.is_file():
        return png_size(path), True
    return size_from_calibration(calibration), False


def in_image(points: np.ndarray, calibration: Calibration, size: tuple[int, int], far_m: float = np.inf) -> np.ndarray:
    """Return which points the camera sees.

    Args:
        points: (N, 3+) LiDAR frame, metres.
        calibration: the frame's calibration.
        size: width and height of the image.
        far_m: depth from which points are left out.

    Returns:
        (N,) bool.
    """
    matrix = calibration.lidar_to_camera
    camera = np.asarray(points[:, :3], dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    pixels, depth = calibration.project(camera)
    inside = ((pixels > 0) & (pixels < size)).all(axis=1)
    return inside & (depth > 0.001) & (depth < far_m)
