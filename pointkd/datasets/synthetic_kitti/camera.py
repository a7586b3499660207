"""The camera of a frame: a calibration like KITTI's, pixel rays, and the 2D boxes of meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointkd.core.kitti import Calibration
from pointkd.datasets.synthetic_kitti.meshes import Mesh

WIDTH, HEIGHT = 1242, 375
NEAR_M = 0.2  # what is nearer to the image plane is cut off before projection
# Camera axes (x right, y down, z forward) from LiDAR axes (x forward, y left, z up).
_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        calibration: what the frame's calib file says.
    """

    calibration: Calibration

    def centre(self) -> np.ndarray:
        """(3,) position of the camera in the LiDAR frame."""
        projection = self.calibration.projection
        rectified = -np.linalg.solve(projection[:, :3], projection[:, 3])
        return (np.linalg.inv(self.calibration.lidar_to_camera) @ np.append(rectified, 1.0))[:3]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Return the (R, 3) unit directions, LiDAR frame, that project onto pixels (R, 2)."""
        homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
        rectified = homogeneous @ np.linalg.inv(self.calibration.projection[:, :3]).T
        directions = rectified @ np.linalg.inv(self.calibration.lidar_to_camera)[:3, :3].T
        return directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def rectified(self, points: np.ndarray) -> np.ndarray:
        """Return points (N, 3) of the LiDAR frame in the rectified camera frame."""
        matrix = self.calibration.lidar_to_camera
        return points @ matrix[:3, :3].T + matrix[:3, 3]

    def box_2d(self, mesh: Mesh) -> np.ndarray | None:
        """Return x1, y1, x2, y2 around a mesh, not cut to the image; None where all of it lies behind the camera."""
        vertices = self.rectified(mesh.vertices)
        in_front = vertices[:, 2] >= NEAR_M
        if not in_front.any():
            return None
        if not in_front.all():
            vertices = np.concatenate([vertices[in_front], _cut_edges(vertices, mesh.triangles)])
        pixels, _ = self.calibration.project(vertices)
        return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def _cut_edges(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return (K, 3) points where edges of a mesh pass through the near plane."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    start, end = vertices[edges[:, 0]], vertices[edges[:, 1]]
    crossing = (start[:, 2] < NEAR_M) & (end[:, 2] >= NEAR_M) | (start[:, 2] >= NEAR_M) & (end[:, 2] < NEAR_M)
    start, end = start[crossing], end[crossing]
    share = (NEAR_M - start[:, 2]) / (end[:, 2] - start[:, 2])
    return start + share[:, None] * (end - start)


def clip_to_image(box: np.ndarray) -> np.ndarray:
    """Return a 2D box cut to the image (KITTI's last pixel is width - 1, height - 1)."""
    return np.clip(box, 0.0, [WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1])


def random_camera(rng: np.random.Generator) -> Camera:
    """Return a camera 0.27 m before and 0.08 m below the LiDAR, turned against it by small angles."""
    focal = rng.normal(720.0, 4.0)
    projection = np.array(
        [
            [focal, 0.0, rng.normal(608.0, 3.0), rng.normal(45.0, 0.5)],
            [0.0, focal, rng.normal(174.0, 2.0), rng.normal(0.0, 0.2)],
            [0.0, 0.0, 1.0, rng.normal(0.0035, 0.001)],
        ]
    )
    turn = _rotation(rng.normal(0.0, 0.008, size=3)) @ _AXES
    offset = np.array([0.0, -0.08, -0.27]) + rng.normal(0.0, 0.008, size=3)
    lidar_to_reference = np.concatenate([turn, offset[:, None]], axis=1)
    return Camera(Calibration(projection, _rotation(rng.normal(0.0, 0.006, size=3)), lidar_to_reference))


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Return the rotation about x, then y, then z by small angles (radians)."""
    cos, sin = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
