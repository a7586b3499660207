"""What stands along a street and is no object to detect: houses, walls, trees, poles, clutter.

The middle of each base is the origin.
"""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_kitti.materials import pick
from pointkd.datasets.synthetic_kitti.meshes import Mesh, box, ellipsoid, join, leaves, tube


def building(rng: np.random.Generator, length: float) -> Mesh:
    """Return a house of a length along x whose front looks to negative y."""
    depth, height = rng.uniform(6.0, 12.0), rng.uniform(4.0, 14.0)
    wall = pick(rng, 'brick plaster concrete stone')
    parts = [box([length, depth, height], [0.0, depth / 2, height / 2], wall)]
    for storey in np.arange(1.6, height - 0.8, 2.9):  # windows stand out a little, as frames and sills do
        for x in np.arange(-length / 2 + 1.5, length / 2 - 0.8, rng.uniform(2.2, 3.4)):
            parts.append(box([1.1, 0.10, 1.3], [x, 0.0, storey], 'glass'))
    if rng.random() < 0.5:
        parts.append(box([1.6, 0.9, 0.18], [rng.uniform(-0.3, 0.3) * length, -0.45, 2.5], 'concrete'))
    return join(parts).centred()


def wall(rng: np.random.Generator, length: float) -> Mesh:
    """Return a garden wall or fence along x."""
    height = rng.uniform(0.6, 1.9)
    return box([length, 0.18, height], [0.0, 0.0, height / 2], pick(rng, 'brick stone wood concrete'))


def hedge(rng: np.random.Generator, length: float) -> Mesh:
    """Return a hedge along x."""
    height, leaf = rng.uniform(0.8, 2.0), pick(rng, 'leaf')
    pieces = max(1, round(length / 1.6))
    step = length / pieces
    return join(
        [
            leaves(rng, [(piece + 0.5) * step - length / 2, 0.0, height / 2], [0.6 * step, 0.45, height / 2], 90, leaf)
            for piece in range(pieces)
        ]
    )


def tree(rng: np.random.Generator) -> Mesh:
    """Return a tree: a trunk and one to three porous canopies."""
    height, crown = rng.uniform(3.0, 8.0), rng.uniform(1.0, 2.6)
    thick, leaf = rng.uniform(0.08, 0.24), pick(rng, 'leaf')
    parts = [tube([0, 0, 0], [rng.normal(0, 0.15), rng.normal(0, 0.15), 0.8 * height], (thick, 0.6 * thick), 'wood')]
    for _ in range(int(rng.integers(1, 4))):
        centre = [rng.normal(0, 0.35 * crown), rng.normal(0, 0.35 * crown), height * rng.uniform(0.45, 0.95)]
        parts.append(leaves(rng, centre, crown * rng.uniform(0.7, 1.1, size=3), int(rng.integers(200, 500)), leaf))
    return join(parts).centred()


def bush(rng: np.random.Generator) -> Mesh:
    """Return a bush, as high and as wide as a person or a small car."""
    radii = rng.uniform([0.4, 0.4, 0.35], [1.3, 1.0, 0.95])
    return leaves(rng, [0.0, 0.0, radii[2]], radii, int(rng.integers(100, 300)), pick(rng, 'leaf'))


def pole(rng: np.random.Generator) -> Mesh:
    """Return a lamp post, a sign or a traffic light."""
    radius, height = rng.uniform(0.04, 0.11), rng.uniform(2.4, 8.0)
    parts = [tube([0, 0, 0], [0, 0, height], (radius, 0.8 * radius), 'metal')]
    kind = rng.random()
    if kind < 0.45:
        parts.append(box([0.03, rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.8)], [-radius, 0, 2.3], 'plate'))
    elif kind < 0.65:
        parts.append(box([0.25, 0.3, 0.9], [-0.1, 0, min(height, 3.0) - 0.4], 'metal'))
    else:
        parts.append(tube([0, 0, height], [0, -1.2, height + 0.2], (0.05, 0.05), 'metal', corners=6))
    return join(parts).centred()


def clutter(rng: np.random.Generator) -> Mesh:
    """Return street furniture that is easily taken for a person or a car: bins, cabinets, bollards, pillars."""
    kind = int(rng.integers(4))
    if kind == 0:
        size = rng.uniform([0.45, 0.45, 0.7], [1.1, 0.8, 1.35])
        return box(size, [0, 0, size[2] / 2], pick(rng, 'metal concrete cloth_green cloth_grey'))
    if kind == 1:
        radius, height = rng.uniform(0.08, 0.20), rng.uniform(0.7, 1.2)
        return tube([0, 0, 0], [0, 0, height], (radius, radius), pick(rng, 'metal stone'))
    if kind == 2:
        radius, height = rng.uniform(0.25, 0.45), rng.uniform(1.2, 2.6)
        return tube([0, 0, 0], [0, 0, height], (radius, radius), pick(rng, 'concrete plaster'))
    return ellipsoid([0, 0, 0.4], rng.uniform([0.4, 0.4, 0.4], [1.2, 0.8, 0.6]), 'stone')
