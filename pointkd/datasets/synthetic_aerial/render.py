"""From a scene to its picture, and to what each object covers."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from pointkd.datasets.synthetic_aerial.canvas import ZOOM, Canvas, Drawn
from pointkd.datasets.synthetic_aerial.ground import draw_ground, times
from pointkd.datasets.synthetic_aerial.light import Light, develop, random_light
from pointkd.datasets.synthetic_aerial.scene import Item, Scene
from pointkd.datasets.synthetic_aerial.scenery import Tree

_ROUND = np.linspace(0.0, 2 * np.pi, 10, endpoint=False)


def render(rng: np.random.Generator, scene: Scene) -> tuple[np.ndarray, list[Drawn | None], np.ndarray]:
    """Draw a scene.

    Returns:
        image: (side, side, 3) uint8 photograph, red green blue.
        drawn: what each item covers before anything hides it; None where it is not in the picture.
        seen: (number of items,) zoomed pixels of each item that nothing hides.
    """
    light = random_light(rng)
    ground = draw_ground(rng, scene.plan, scene.camera, ZOOM)
    canvas = Canvas(ground, scene.camera, light, rng)
    large = _throw(canvas, light, [item.shape.quads.reshape(-1, 3) for item in scene.buildings])
    large |= _throw(canvas, light, [_crown(tree) for tree in scene.trees])
    small = _throw(canvas, light, [item.shape.quads.reshape(-1, 3) for item in scene.items])
    canvas.image = times(ground, _darkness(large | small, 1.2, light.in_shadow()) * _contact(canvas, scene.items))
    drawn = _draw_all(canvas, scene, large)
    seen = np.bincount(canvas.owners.ravel(), minlength=len(scene.items) + 1)[1:]
    return develop(canvas.image, scene.camera.side, light, rng), drawn, seen


def _draw_all(canvas: Canvas, scene: Scene, large: np.ndarray) -> list[Drawn | None]:
    """Draw everything from far to near; an item in a large shadow is dim."""
    drawn: list[Drawn | None] = [None] * len(scene.items)
    queue: list[tuple[float, int, Item | Tree]] = []
    queue += [(item.y - item.over, number, item) for number, item in enumerate(scene.items)]
    queue += [(float(item.shape.quads[..., 1].min()), -1, item) for item in scene.buildings]
    queue += [(tree.y - tree.radius, -1, tree) for tree in scene.trees]
    for _, number, thing in sorted(queue, key=lambda entry: -entry[0]):
        if isinstance(thing, Tree):
            canvas.draw_tree(thing)
            continue
        dim = _dim(canvas, thing, large) if number >= 0 else 1.0
        result = canvas.draw(thing.shape, number + 1 if number >= 0 else 0, dim)
        if number >= 0:
            drawn[number] = result
    return drawn


def _dim(canvas: Canvas, item: Item, large: np.ndarray) -> float:
    """Return the brightness of an item by whether its middle stands in a large shadow."""
    column, row = canvas.points(np.array([item.x, item.y, item.height * 0.4])).astype(int)
    inside = 0 <= column < canvas.size and 0 <= row < canvas.size
    return 0.35 + 0.65 * canvas.light.in_shadow() if inside and large[row, column] else 1.0


def _crown(tree: Tree) -> np.ndarray:
    """Return (20, 3) points of a crown's outline, for its shadow."""
    rim = np.column_stack([tree.x + tree.radius * np.cos(_ROUND), tree.y + tree.radius * np.sin(_ROUND)])
    heights = (tree.height - 1.7 * tree.radius, tree.height - 0.4 * tree.radius)
    return np.concatenate([np.column_stack([rim, np.full(len(rim), max(height, 0.0))]) for height in heights])


def _throw(canvas: Canvas, light: Light, bodies: Iterable[np.ndarray]) -> np.ndarray:
    """Return (H, W) uint8 the shadow of bodies, given by points (K, 3), on level ground; none when overcast."""
    mask = np.zeros((canvas.size, canvas.size), np.uint8)
    if light.direct < 0.08:
        return mask
    for points in bodies:
        fallen = points[:, :2] + points[:, 2:] * light.shift()
        _fill_hull(canvas, mask, np.column_stack([fallen, np.zeros(len(fallen))]), 255)
    return mask


def _darkness(mask: np.ndarray, softness: float, least: float) -> np.ndarray:
    """Return (H, W) float32, 1 where a mask is 0, the least where it is 255; edges are soft."""
    table = (1.0 - np.arange(256) / 255.0 * (1.0 - least)).astype(np.float32)
    return np.asarray(cv2.LUT(cv2.GaussianBlur(mask, (0, 0), softness), table))


def _contact(canvas: Canvas, items: Iterable[Item]) -> np.ndarray:
    """Return (H, W) float32 how dark the ground is right below and beside things."""
    mask = np.zeros((canvas.size, canvas.size), np.uint8)
    for item in items:
        points = item.shape.quads.reshape(-1, 3) * [1.0, 1.0, 0.0]
        _fill_hull(canvas, mask, points, 255)
    return _darkness(mask, 1.6, 0.42)


def _fill_hull(canvas: Canvas, mask: np.ndarray, points: np.ndarray, value: int) -> None:
    """Fill the convex hull of points on the ground."""
    pixels = np.clip(canvas.points(points), -20_000, 20_000).astype(np.float32)
    hull = cv2.convexHull(pixels)
    cv2.fillConvexPoly(mask, np.rint(hull * 16).astype(np.int32), value, cv2.LINE_8, 4)
