"""Bicycles, motorcycles and three-wheelers."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_aerial.shapes import RUBBER, Colour, Shape, block, flat, join, plate, wheel
from pointkd.datasets.synthetic_aerial.vehicles import LIGHT, darker, tint

FRAMES: tuple[Colour, ...] = (
    (60, 60, 65),
    (190, 190, 190),
    (200, 120, 40),
    (220, 190, 40),
    (50, 110, 190),
    (160, 40, 45),
)
BODIES: tuple[Colour, ...] = (
    (170, 35, 35),
    (40, 40, 44),
    (225, 225, 222),
    (45, 75, 150),
    (110, 30, 60),
    (70, 130, 120),
    (200, 150, 50),
)
AWNINGS: tuple[Colour, ...] = (
    (205, 45, 45),
    (45, 90, 185),
    (60, 140, 80),
    (225, 195, 60),
    (190, 190, 200),
    (160, 60, 130),
)


def bicycle(rng: np.random.Generator) -> Shape:
    """Return a bicycle: two wheels, a frame, a saddle, a handlebar, sometimes a basket."""
    reach = rng.uniform(0.50, 0.56)
    colour = tint(FRAMES[int(rng.integers(len(FRAMES)))], rng, 12.0)
    parts = [
        wheel(reach, 0.0, 0.33, (55.0, 55.0, 58.0)),
        wheel(-reach, 0.0, 0.33, (55.0, 55.0, 58.0)),
        block((-reach, reach), (-0.05, 0.05), (0.4, 0.6), colour, layer=1),
        block((-0.32, -0.05), (-0.09, 0.09), (0.85, 0.95), RUBBER, layer=2),
        block((0.36, 0.44), (-0.28, 0.28), (0.95, 1.02), darker(colour, 0.7), layer=2),
    ]
    if rng.random() < 0.5:
        parts.append(block((0.48, 0.78), (-0.18, 0.18), (0.62, 0.9), tint((120, 120, 118), rng, 20.0), layer=2))
    return join(parts)


def motor(rng: np.random.Generator) -> Shape:
    """Return a motor scooter or motorcycle."""
    length = rng.uniform(1.65, 1.95)
    front, rear = length / 2, -length / 2
    colour = tint(BODIES[int(rng.integers(len(BODIES)))], rng, 12.0)
    half = rng.uniform(0.16, 0.22)
    parts = [
        wheel(front - 0.26, 0.0, 0.26),
        wheel(rear + 0.26, 0.0, 0.26),
        block((rear + 0.05, 0.05), (-half, half), (0.35, 0.72), colour, layer=1, inset=(0.05, 0.15, 0.05)),
        block((rear + 0.2, 0.0), (-half * 0.8, half * 0.8), (0.72, 0.82), (35.0, 33.0, 33.0), layer=2),
        block((0.05, front - 0.4), (-half * 0.7, half * 0.7), (0.2, 0.35), darker(colour, 0.6), layer=1),
        block((front - 0.55, front - 0.22), (-half, half), (0.3, 1.0), colour, layer=2, inset=(0.1, 0.1, 0.05)),
        block((front - 0.5, front - 0.4), (-0.35, 0.35), (1.0, 1.08), RUBBER, layer=3),
        flat((front - 0.32, front - 0.24), (-0.1, 0.1), 1.02, LIGHT, layer=3),
    ]
    if rng.random() < 0.4:
        box = tint(BODIES[int(rng.integers(len(BODIES)))], rng, 15.0)
        parts.append(block((rear, rear + 0.42), (-0.22, 0.22), (0.8, 1.15), box, layer=3))
    return join(parts)


def tricycle(rng: np.random.Generator) -> Shape:
    """Return a cargo three-wheeler: an open bed behind a saddle, loaded or not."""
    length, half = rng.uniform(2.6, 3.2), rng.uniform(0.5, 0.62)
    front, rear = length / 2, -length / 2
    colour = tint(((45, 75, 150), (60, 110, 85), (160, 45, 40), (110, 112, 115))[int(rng.integers(4))], rng, 12.0)
    bed_front = rear + length * 0.55
    inner = ((rear + 0.06, bed_front - 0.06), (-half + 0.06, half - 0.06))
    parts = [
        *_underneath(front, rear, half),
        block((rear, bed_front), (-half, half), (0.45, 0.85), colour, layer=1),
        flat(*inner, 0.86, darker(colour, 0.45), layer=2),
        block((bed_front + 0.1, bed_front + 0.55), (-0.22, 0.22), (0.5, 0.85), (40.0, 38.0, 38.0), layer=2),
        *_steering(front, colour),
    ]
    if rng.random() < 0.6:
        goods = tint(((150, 120, 80), (190, 60, 50), (90, 130, 70), (200, 180, 130))[int(rng.integers(4))], rng, 18.0)
        parts.append(block(*inner, (0.8, rng.uniform(1.0, 1.5)), goods, layer=3, inset=(0.1, 0.1, 0.1)))
    return join(parts)


def awning_tricycle(rng: np.random.Generator) -> Shape:
    """Return a three-wheeler with a roof over rider and bed."""
    length, half = rng.uniform(2.6, 3.3), rng.uniform(0.55, 0.66)
    front, rear = length / 2, -length / 2
    colour = tint(AWNINGS[int(rng.integers(len(AWNINGS)))], rng, 12.0)
    roof_front = front - rng.uniform(0.25, 0.7)
    closed = rng.random() < 0.5
    hull = tint(BODIES[int(rng.integers(len(BODIES)))], rng, 12.0)
    parts = [
        *_underneath(front, rear, half),
        block((rear, rear + length * 0.6), (-half, half), (0.45, 0.95), hull, layer=1),
        *_steering(front, hull),
        *_posts(rear, roof_front, half * 0.95),
        block((rear - 0.05, roof_front), (-half, half), (1.68, 1.86), colour, layer=4, inset=(0.12, 0.08, 0.14)),
        flat((rear + 0.2, roof_front - 0.3), (-0.08, 0.08), 1.87, darker(colour, 1.12), layer=5),
    ]
    if closed:
        parts.append(block((rear, rear + length * 0.5), (-half, half), (0.95, 1.68), darker(hull, 0.9), layer=3))
    return join(parts)


def _underneath(front: float, rear: float, half: float) -> list[Shape]:
    """Return the three wheels and the beam between them."""
    return [
        wheel(front - 0.3, 0.0, 0.28),
        wheel(rear + 0.45, half * 0.9, 0.28),
        wheel(rear + 0.45, -half * 0.9, 0.28),
        block((rear, front - 0.2), (-0.14, 0.14), (0.25, 0.45), RUBBER),
    ]


def _steering(front: float, colour: Colour) -> list[Shape]:
    """Return the fork and the handlebar."""
    return [
        block((front - 0.5, front - 0.15), (-0.18, 0.18), (0.4, 0.95), colour, layer=2, inset=(0.1, 0.05, 0.05)),
        block((front - 0.55, front - 0.45), (-0.38, 0.38), (0.98, 1.06), RUBBER, layer=3),
    ]


def _posts(rear: float, front: float, half: float) -> list[Shape]:
    """Return the posts that carry a roof."""
    posts = []
    for x in (rear + 0.05, front - 0.1):
        for y in (-half, half):
            corners = [[x, y, 0.5], [x + 0.06, y, 0.5], [x + 0.06, y, 1.7], [x, y, 1.7]]
            posts.append(plate(corners, (70.0, 70.0, 72.0), layer=3, thin=True))
    return posts
