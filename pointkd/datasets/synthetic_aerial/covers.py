"""Which trees stand between the camera and objects: enough to occlude as in real images, few that hide all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.measure import GROUPS
from pointkd.datasets.synthetic_aerial.placing import Placer
from pointkd.datasets.synthetic_aerial.scenery import LEAVES, Tree
from pointkd.datasets.synthetic_aerial.vehicles import tint

HEIGHTS_M = (9.0, 6.5, 4.8, 3.4, 2.4, 1.6)  # of crowns' middles, tried in a random order
# Of the objects that shall be occluded; others, and what stands anyway, hide the rest.
SHARES = {'persons': 0.35, 'cycles': 0.4, 'vehicles': 0.75}
HALF_M = {'persons': 0.45, 'cycles': 0.8, 'vehicles': 2.0}  # about half of an object's length
FELLED = {'persons': 0.9, 'cycles': 0.9, 'vehicles': 0.6}  # chance that a tree goes that hides the middle of an object


def group_of(name: str) -> str:
    """Return persons, cycles or vehicles."""
    return next(group for group, names in GROUPS.items() if name in names)


def cover(
    rng: np.random.Generator, placer: Placer, name: str, place: tuple[float, float, float], shares: list[float]
) -> Tree | None:
    """Return a tree that hides a part of an object, or None: not drawn, or no room for its trunk beside the road.

    Args:
        rng: decides.
        placer: knows the ground.
        name: class of the object.
        place: x y of the object and its height, metres.
        shares: of the class's objects that are occluded by level 0, 1, 2.
    """
    group = group_of(name)
    if rng.random() >= SHARES[group] * (1.0 - shares[0]):
        return None
    own = HALF_M[group]
    radius = float(rng.uniform(0.9, 1.6) * (0.7 + 0.55 * own))
    heavy = group == 'vehicles' and rng.random() < shares[2] / max(shares[1] + shares[2], 1e-9)
    offset = radius * 0.85 + own * float(rng.uniform(-0.2, 0.15) if heavy else rng.uniform(0.3, 0.8))
    for height in rng.permutation(HEIGHTS_M):
        crown = _on_ray(placer.camera, place, offset, rng.uniform(-math.pi, math.pi), float(height))
        if height > radius * 0.8 and placer.is_verge(crown):
            colour = tint(LEAVES[int(rng.integers(len(LEAVES) - 1))], rng, 8.0)
            return Tree(float(crown[0]), float(crown[1]), radius, float(height) + radius, colour)
    return None


def _on_ray(
    camera: Camera, place: tuple[float, float, float], offset: float, direction: float, height: float
) -> np.ndarray:
    """Return (2,) where a crown at a height stands that is seen beside an object, by an offset in metres."""
    right, down, _ = camera.axes()
    target = np.array([place[0], place[1], place[2] / 2]) + offset * (
        math.cos(direction) * right + math.sin(direction) * down
    )
    ray = camera.centre() - target
    return np.asarray((target + ray * ((height - target[2]) / ray[2]))[:2])


def thin_out(
    rng: np.random.Generator, camera: Camera, trees: Sequence[Tree], names: Sequence[str], places: np.ndarray
) -> list[Tree]:
    """Return the trees without most of those that hide the middle of an object.

    Args:
        rng: decides.
        camera: that looks.
        trees: candidates.
        names: class of each object.
        places: (N, 3) middle of each object, metres.
    """
    if not len(trees) or not len(places):
        return list(trees)
    crowns = np.array([[tree.x, tree.y, tree.height - tree.radius, tree.radius] for tree in trees])
    seen, objects = camera.project(crowns[:, :3]), camera.project(places)
    reach = 1.1 * crowns[:, 3] * camera.focal / np.maximum(seen[:, 2], 1e-3)
    gaps = np.linalg.norm(seen[:, None, :2] - objects[None, :, :2], axis=-1)
    hidden = (gaps < reach[:, None]) & (seen[:, None, 2] < objects[None, :, 2])
    chance = np.array([FELLED[group_of(name)] for name in names])
    kept = ~(hidden & (rng.random(hidden.shape) < chance)).any(axis=1)
    return [tree for tree, stays in zip(trees, kept, strict=True) if stays]
