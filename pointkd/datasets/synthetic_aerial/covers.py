"""Trees and bushes that stand between the camera and objects, as often as objects are occluded in real images."""

from __future__ import annotations

import math

import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.classes import CYCLES, PERSONS
from pointkd.datasets.synthetic_aerial.placing import Placer
from pointkd.datasets.synthetic_aerial.scenery import LEAVES, Tree
from pointkd.datasets.synthetic_aerial.vehicles import tint

HEIGHTS_M = (9.0, 6.5, 4.8, 3.4, 2.4, 1.6)  # of crowns' middles, tried in a random order
# Of the objects that shall be occluded; others, and what stands anyway, hide the rest.
SHARES = {'persons': 0.35, 'cycles': 0.4, 'vehicles': 0.75}
HALF_M = {'persons': 0.45, 'cycles': 0.8, 'vehicles': 2.0}  # about half of an object's length


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
    group = 'persons' if name in PERSONS else 'cycles' if name in CYCLES else 'vehicles'
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
