"""Draws shapes into the picture and notes which pixel belongs to which object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.ground import fractal, times
from pointkd.datasets.synthetic_aerial.light import Light
from pointkd.datasets.synthetic_aerial.scenery import Tree
from pointkd.datasets.synthetic_aerial.shapes import Shape

ZOOM = 2  # everything is drawn at this multiple of the image's resolution, then averaged
SHIFT = 4  # binary places of drawn coordinates
MAX_PATCH = 3000  # zoomed pixels; what is larger is not drawn
GRAIN = 0.05
NOBODY = 0  # in the map of owners: ground and scenery


@dataclass(frozen=True)
class Drawn:
    """What an object covers before anything hides it, in zoomed pixels.

    Attributes:
        extent: left, top, right, bottom (exclusive), of the drawn mask, beyond the image's border too.
        inside: the same of the part within the image; None where there is none.
        area: pixels of the mask.
        area_inside: of these, within the image.
    """

    extent: tuple[int, int, int, int]
    inside: tuple[int, int, int, int] | None
    area: int
    area_inside: int


class Canvas:
    """A picture in the making.

    Args:
        ground: (H, H, 3) uint8 picture of the ground at ZOOM times the resolution.
        camera: that sees it.
        light: of the scene.
        rng: for grain and leaves.
    """

    def __init__(self, ground: np.ndarray, camera: Camera, light: Light, rng: np.random.Generator) -> None:
        self.image = ground
        self.camera, self.light, self.rng = camera, light, rng
        self.size = len(ground)
        self.owners = np.full((self.size, self.size), NOBODY, np.int32)
        self.speckle = rng.normal(1.0, 0.2, (97, 97)).astype(np.float32)
        self.grain = np.clip(1.0 + GRAIN * fractal(rng, self.size, self.size), 0.6, 1.4)

    def points(self, world: np.ndarray) -> np.ndarray:
        """Return (..., 2) zoomed pixels of world points (..., 3)."""
        return self.camera.project(world)[..., :2] * ZOOM

    def draw(self, shape: Shape, owner: int = NOBODY, dim: float = 1.0) -> Drawn | None:
        """Draw a shape over what is there; None where it covers no pixel.

        Args:
            shape: in the world.
            owner: number of the object, from 1; NOBODY for scenery.
            dim: brightness, below 1 in the shadow of something large.
        """
        seen = self.camera.project(shape.quads)
        if seen[..., 2].min() < 1.0:
            return None
        corners = seen[..., :2] * ZOOM
        edges = corners[:, [1, 3]] - corners[:, [0, 0]]
        facing = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        visible = np.flatnonzero((facing < 0) | shape.thin)
        order = visible[np.lexsort((-seen[visible, :, 2].mean(axis=1), shape.layers[visible]))]
        if not len(order):
            return None
        low = np.floor(corners[order].min(axis=(0, 1))).astype(int) - 1
        high = np.ceil(corners[order].max(axis=(0, 1))).astype(int) + 2
        if (high - low).max() > MAX_PATCH:
            return None
        patch = np.zeros((high[1] - low[1], high[0] - low[0], 4), np.uint8)
        pixels = np.rint((corners[order] - low) * 2**SHIFT).astype(np.int32)
        for quad, colour in zip(pixels, self._shade(shape, order, dim).tolist(), strict=True):
            cv2.fillConvexPoly(patch, quad, (*colour, 255), cv2.LINE_8, SHIFT)
        return self._paste(patch, int(low[0]), int(low[1]), owner)

    def _shade(self, shape: Shape, faces: np.ndarray, dim: float) -> np.ndarray:
        """Return (K, 3) the lit colours of some faces."""
        quads = shape.quads[faces]
        normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        normals[shape.thin[faces] & (normals @ self.camera.toward() < 0)] *= -1
        return np.clip(shape.colours[faces] * self.light.on(normals)[:, None] * dim, 0, 255)

    def _paste(self, patch: np.ndarray, left: int, top: int, owner: int) -> Drawn | None:
        """Lay a patch (red green blue mask) over the picture."""
        mask = patch[..., 3] > 0
        area = int(np.count_nonzero(mask))
        if not area:
            return None
        extent = _extent(mask, left, top)
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + mask.shape[1], self.size), min(top + mask.shape[0], self.size)
        if x0 >= x1 or y0 >= y1:
            return Drawn(extent, None, area, 0)
        part = mask[y0 - top : y1 - top, x0 - left : x1 - left]
        count = int(np.count_nonzero(part))
        if not count:
            return Drawn(extent, None, area, 0)
        colours = patch[y0 - top : y1 - top, x0 - left : x1 - left, :3][part] * self.grain[y0:y1, x0:x1][part][:, None]
        self.image[y0:y1, x0:x1][part] = np.clip(colours, 0, 255)
        self.owners[y0:y1, x0:x1][part] = owner
        return Drawn(extent, _extent(part, x0, y0), area, count)

    def draw_tree(self, tree: Tree, dim: float = 1.0) -> None:
        """Draw a crown as a heap of leaf clusters, lighter towards the sun and the top, and its trunk."""
        height = tree.height - tree.radius
        centre = self.points(np.array([tree.x, tree.y, height]))
        foot = self.points(np.array([tree.x, tree.y, 0.0]))
        radius = float(
            tree.radius * ZOOM * self.camera.focal / np.linalg.norm(self.camera.centre() - [tree.x, tree.y, height])
        )
        half = int(radius * 1.35) + 2
        if half < 2 or half > MAX_PATCH // 2:
            return
        self._trunk(foot, centre, radius)
        patch = np.zeros((2 * half + 1, 2 * half + 1, 4), np.uint8)
        places, sizes, tones = self._leaves(tree, radius, half, dim)
        for place, size, tone in zip(places, sizes, tones, strict=True):
            cv2.circle(patch, place, size, (*tone, 255), -1)
        speckle = cv2.resize(self.speckle, patch.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        patch[..., :3] = times(patch[..., :3], speckle)
        self._paste(patch, round(float(centre[0])) - half, round(float(centre[1])) - half, NOBODY)

    def _leaves(self, tree: Tree, radius: float, half: int, dim: float) -> tuple[list, list, list]:
        """Return places, sizes (zoomed pixels of the patch) and colours of leaf clusters, in the order of drawing."""
        count = int(np.clip(radius * 4.0, 25, 220))
        lobes = self.rng.standard_normal((7, 3))
        directions = self.rng.standard_normal((count, 3)) + 0.9 * lobes[self.rng.integers(7, size=count)]
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        directions *= self.rng.uniform(0.15, 1.0, (count, 1)) ** 0.5
        seen = directions @ self.camera.axes().T
        sun = self.light.sun * (0.35 + 0.65 * self.light.direct)
        bright = 0.55 + 0.38 * directions @ sun + 0.2 * directions[:, 2] + self.rng.normal(0, 0.1, count)
        order = np.argsort(-seen[:, 2])
        tones = np.clip(np.array(tree.colour) * np.maximum(bright, 0.22)[:, None] * 1.25 * dim, 0, 255)
        places = np.rint(half + seen[:, :2] * radius * 0.9).astype(int)
        sizes = np.maximum(radius * self.rng.uniform(0.08, 0.26, count), 1.0).astype(int)
        return places[order].tolist(), sizes[order].tolist(), tones[order].tolist()

    def _trunk(self, foot: np.ndarray, top: np.ndarray, radius: float) -> None:
        """Draw a trunk."""
        ends = [tuple(np.clip(np.rint(end), -9999, 9999).astype(int).tolist()) for end in (foot, top)]
        cv2.line(self.image, ends[0], ends[1], (78, 66, 52), max(int(radius * 0.12), 1))


def _extent(mask: np.ndarray, left: int, top: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (exclusive) of a mask that is not empty, moved by its place."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1
