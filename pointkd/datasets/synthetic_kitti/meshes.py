"""Triangle meshes of simple solids, in metres: box, prism, tube, ellipsoid, wheel rim, scattered leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pointkd.datasets.synthetic_kitti.materials import NUMBERS


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh whose faces know their material.

    Attributes:
        vertices: (V, 3) float64 x, y, z in metres.
        triangles: (T, 3) int64 vertex numbers; both sides of a face are seen.
        materials: (T,) int64 numbers of `materials.PALETTE`.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray

    def moved(self, offset: ArrayLike, yaw: float = 0.0) -> Mesh:
        """Return the mesh turned about z by yaw (radians), then shifted."""
        cos, sin = np.cos(yaw), np.sin(yaw)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return Mesh(self.vertices @ turn.T + np.asarray(offset, dtype=np.float64), self.triangles, self.materials)

    def centred(self) -> Mesh:
        """Return the mesh with the middle of its base at the origin."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return self.moved([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]])

    def size(self) -> np.ndarray:
        """(3,) extent along x, y, z."""
        return self.vertices.max(axis=0) - self.vertices.min(axis=0)


def make(vertices: np.ndarray, triangles: np.ndarray, material: str) -> Mesh:
    """Return a mesh of one material."""
    faces = np.asarray(triangles, dtype=np.int64).reshape(-1, 3)
    return Mesh(np.asarray(vertices, dtype=np.float64), faces, np.full(len(faces), NUMBERS[material]))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return several meshes as one (at least one)."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]),
        np.concatenate([mesh.materials for mesh in meshes]),
    )


_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], dtype=np.int64
)
_BOX_TRIANGLES = np.concatenate([_BOX_FACES[:, [0, 1, 2]], _BOX_FACES[:, [0, 2, 3]]])


def box(size: ArrayLike, centre: ArrayLike, material: str) -> Mesh:
    """Return a cuboid: size along x, y, z and its middle."""
    return make(_BOX_CORNERS * np.asarray(size) + np.asarray(centre), _BOX_TRIANGLES, material)


def prism(profile: np.ndarray, half_widths: np.ndarray, edges: Sequence[str], sides: str) -> Mesh:
    """Return a solid with a side view: the profile drawn in x and z, stretched along y.

    Args:
        profile: (K, 2) x, z of a closed outline that its mean point sees whole.
        half_widths: (K,) half the width (y) at each corner of the outline.
        edges: K materials, of the face that follows each corner.
        sides: material of the left and right side.
    """
    count = len(profile)
    x, z = profile[:, 0], profile[:, 1]
    left = np.stack([x, half_widths, z], axis=1)
    right = left * [1.0, -1.0, 1.0]
    middle = np.array([x.mean(), half_widths.mean(), z.mean()])
    vertices = np.concatenate([left, right, [middle, middle * [1.0, -1.0, 1.0]]])
    this = np.arange(count)
    after = (this + 1) % count
    strip = np.concatenate(
        [np.stack([this, after, after + count], axis=1), np.stack([this, after + count, this + count], axis=1)]
    )
    fan = np.concatenate(
        [
            np.stack([this, after, np.full(count, 2 * count)], axis=1),
            np.stack([this + count, after + count, np.full(count, 2 * count + 1)], axis=1),
        ]
    )
    materials = [NUMBERS[name] for name in edges] * 2 + [NUMBERS[sides]] * (2 * count)
    return Mesh(vertices, np.concatenate([strip, fan]), np.array(materials))


def tube(start: ArrayLike, end: ArrayLike, radii: tuple[float, float], material: str, corners: int = 8) -> Mesh:
    """Return a closed tube (a cone where the radii at start and end differ)."""
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = (last - first) / np.linalg.norm(last - first)
    side = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    turn = np.arange(corners) * (2 * np.pi / corners)
    circle = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(axis, side)  # (corners, 3)
    vertices = np.concatenate([first + radii[0] * circle, last + radii[1] * circle, [first, last]])
    this = np.arange(corners)
    after = (this + 1) % corners
    faces = [
        np.stack([this, after, after + corners], axis=1),
        np.stack([this, after + corners, this + corners], axis=1),
        np.stack([this, after, np.full(corners, 2 * corners)], axis=1),
        np.stack([this + corners, after + corners, np.full(corners, 2 * corners + 1)], axis=1),
    ]
    return make(vertices, np.concatenate(faces), material)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, material: str, rings: int = 5, corners: int = 8) -> Mesh:
    """Return an ellipsoid with its axes along x, y, z."""
    tilt = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)[:, None]
    turn = (np.arange(corners) * (2 * np.pi / corners))[None]
    unit = np.stack([np.cos(tilt) * np.cos(turn), np.cos(tilt) * np.sin(turn), np.sin(tilt) + 0 * turn], axis=-1)
    this = (np.arange(rings)[:, None] * corners + np.arange(corners)).ravel()
    after = (np.arange(rings)[:, None] * corners + (np.arange(corners) + 1) % corners).ravel()
    faces = [
        np.stack([this, after, after + corners], axis=1),
        np.stack([this, after + corners, this + corners], axis=1),
    ]
    return make(unit.reshape(-1, 3) * np.asarray(radii) + np.asarray(centre), np.concatenate(faces), material)


def rim(centre: ArrayLike, radii: tuple[float, float], material: str, corners: int = 16) -> Mesh:
    """Return a flat ring in the plane of x and z (a bicycle wheel from the side): outer and inner radius."""
    turn = np.arange(corners) * (2 * np.pi / corners)
    circle = np.stack([np.cos(turn), np.zeros(corners), np.sin(turn)], axis=1)
    vertices = np.concatenate([radii[0] * circle, radii[1] * circle]) + np.asarray(centre)
    this = np.arange(corners)
    after = (this + 1) % corners
    faces = [
        np.stack([this, after, after + corners], axis=1),
        np.stack([this, after + corners, this + corners], axis=1),
    ]
    return make(vertices, np.concatenate(faces), material)


def leaves(rng: np.random.Generator, centre: ArrayLike, radii: ArrayLike, count: int, material: str) -> Mesh:
    """Return a porous canopy: small triangles scattered in an ellipsoid, more of them towards its skin."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    depth = rng.uniform(0.25, 1.0, size=(count, 1)) ** 0.5
    middle = direction * depth * np.asarray(radii) + np.asarray(centre)
    size = 0.06 + 0.10 * float(np.asarray(radii, dtype=np.float64).mean())
    corners = middle[:, None] + rng.uniform(-size, size, size=(count, 3, 3))
    return make(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), material)
