"""A camera for tests."""

from __future__ import annotations

import numpy as np

from pointkd.core.kitti import Calibration


def camera() -> Calibration:
    """Return a camera at the LiDAR, looking along x, for images of 1242 x 375."""
    projection = np.array([[720.0, 0, 621, 0], [0, 720, 187, 0], [0, 0, 1, 0]])
    turn = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]], dtype=np.float64)
    return Calibration(projection, np.eye(3), turn)
