"""Cars and vans: a body drawn from the side, a glass cabin on it, four wheels."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_kitti.materials import pick
from pointkd.datasets.synthetic_kitti.meshes import Mesh, box, join, prism, tube

# Where the cabin touches the body and where the roof begins and ends, as shares of the length from the tail (0) to the
# nose (1): rear window foot, roof end, roof start, windscreen foot.
CABINS: dict[str, tuple[float, float, float, float]] = {
    'saloon': (0.14, 0.27, 0.56, 0.72),
    'hatchback': (0.02, 0.12, 0.56, 0.75),
    'estate': (0.01, 0.06, 0.58, 0.74),
    'coupe': (0.08, 0.34, 0.54, 0.70),
    'suv': (0.02, 0.08, 0.58, 0.72),
}


def car(rng: np.random.Generator) -> Mesh:
    """Return a passenger car, nose towards x, the middle of its base at the origin."""
    kind = list(CABINS)[int(rng.choice(len(CABINS), p=[0.25, 0.35, 0.18, 0.08, 0.14]))]
    length = float(np.clip(rng.normal(3.75 if kind == 'hatchback' else 4.15, 0.30), 3.1, 5.0))
    width = float(np.clip(rng.normal(1.63, 0.08), 1.45, 1.90))
    height = float(np.clip(rng.normal(1.48, 0.05), 1.32, 1.62)) + (0.18 if kind == 'suv' else 0.0)
    return _car_body(rng, kind, np.array([length, width, height]))


def _car_body(rng: np.random.Generator, kind: str, size: np.ndarray) -> Mesh:
    """Return the parts of a car of a size (length, width, height)."""
    length, width, height = size
    paint = pick(rng, 'paint')
    sill, belt = 0.16 * height, rng.uniform(0.58, 0.64) * height
    nose = rng.uniform(0.78, 0.92) * belt
    rear_foot, roof_end, roof_start, front_foot = (np.array(CABINS[kind]) - 0.5) * length
    tail = belt if rear_foot < -0.4 * length else rng.uniform(0.94, 1.0) * belt
    body = np.array(
        [
            [-0.47 * length, sill],
            [-0.50 * length, 0.55 * belt],
            [-0.49 * length, tail],
            [rear_foot, belt],
            [front_foot, belt],
            [0.46 * length, nose],
            [0.50 * length, 0.5 * belt],
            [0.48 * length, sill],
        ]
    )
    cabin = np.array([[rear_foot, belt], [roof_end, height], [roof_start, height], [front_foot, belt]])
    half = width / 2
    body_half = half * np.array([0.92, 0.95, 0.93, 0.98, 1.0, 0.93, 0.90, 0.92])
    cabin_half = half * np.array([0.90, 0.72, 0.74, 0.92])
    parts = [
        prism(body, body_half, [paint] * 8, paint),
        prism(cabin, cabin_half, ['glass', paint, 'glass', paint], 'glass'),
        *_wheels(length, width, rng.uniform(0.28, 0.34)),
        *_details(length, width, belt),
    ]
    return join(parts).centred()


def _wheels(length: float, width: float, radius: float) -> list[Mesh]:
    """Return four wheels that stand on z = 0."""
    wheels = []
    for x in (-0.30 * length, 0.31 * length):
        for side in (-1, 1):
            inner, outer = side * (width / 2 - 0.22), side * (width / 2 - 0.01)
            wheels.append(tube([x, inner, radius], [x, outer, radius], (radius, radius), 'rubber', corners=10))
    return wheels


def _details(length: float, width: float, belt: float) -> list[Mesh]:
    """Return number plates and lights: small, but bright for a laser."""
    return [
        box([0.03, 0.52, 0.11], [-0.505 * length, 0.0, 0.52 * belt], 'plate'),
        box([0.03, 0.52, 0.11], [0.50 * length, 0.0, 0.42 * belt], 'plate'),
        box([0.05, 0.25, 0.14], [-0.495 * length, 0.34 * width, 0.72 * belt], 'lamp'),
        box([0.05, 0.25, 0.14], [-0.495 * length, -0.34 * width, 0.72 * belt], 'lamp'),
    ]


def van(rng: np.random.Generator) -> Mesh:
    """Return a delivery van or minibus, nose towards x, the middle of its base at the origin."""
    length, width = rng.uniform(4.4, 5.6), rng.uniform(1.75, 2.05)
    height = rng.uniform(1.85, 2.45)
    paint, belt, sill = pick(rng, 'paint'), 0.52 * height, 0.14 * height
    body = np.array(
        [
            [-0.50 * length, sill],
            [-0.50 * length, 0.97 * height],
            [-0.46 * length, height],
            [0.20 * length, height],
            [0.34 * length, belt],
            [0.47 * length, 0.85 * belt],
            [0.50 * length, sill],
        ]
    )
    half = width / 2 * np.array([1.0, 0.94, 0.9, 0.9, 0.97, 0.94, 0.95])
    edges = [paint, paint, paint, 'glass', paint, paint, paint]
    side_glass = [
        box([0.16 * length, 0.02, 0.32 * height], [0.16 * length, side * 0.485 * width, 0.68 * height], 'glass')
        for side in (-1, 1)
    ]
    parts = [prism(body, half, edges, paint), *side_glass, *_wheels(length, width, rng.uniform(0.31, 0.36))]
    return join(parts).centred()
