"""Pedestrians, and people who ride or sit."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_aerial.shapes import Colour, Shape, block, join
from pointkd.datasets.synthetic_aerial.vehicles import darker, tint

CLOTHES: tuple[Colour, ...] = (
    (40, 42, 50), (225, 225, 222), (165, 40, 45), (50, 75, 130), (95, 95, 100), (200, 170, 60), (70, 110, 80),
    (215, 120, 140), (120, 60, 100), (110, 150, 190), (150, 120, 90), (230, 100, 50),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((35, 37, 48), (45, 55, 85), (90, 85, 80), (140, 125, 105), (200, 198, 190))
HAIR: tuple[Colour, ...] = ((28, 24, 24), (45, 36, 30), (120, 118, 115), (150, 40, 40), (235, 235, 230))
SKIN: Colour = (205, 160, 130)


def pedestrian(rng: np.random.Generator) -> Shape:
    """Return someone who stands or walks; some carry a bag or an umbrella."""
    tall = rng.normal(1.68, 0.09) if rng.random() < 0.9 else rng.uniform(1.05, 1.4)
    legs, chest = tall * 0.48, tall * 0.83
    stride = rng.uniform(0.0, 0.2)
    shirt, trousers = _dress(rng)
    half = rng.uniform(0.21, 0.26) * tall / 1.68
    parts = [
        block((stride - 0.08, stride + 0.1), (0.02, 0.16), (0.0, legs), trousers, inset=(0.0, 0.0, 0.0)),
        block((-stride - 0.1, -stride + 0.08), (-0.16, -0.02), (0.0, legs), trousers),
        block((-0.13, 0.14), (-half, half), (legs * 0.9, chest), shirt, layer=1, inset=(0.02, 0.02, 0.03)),
        *_head(rng, chest, tall, 0.0),
    ]
    for side in (-1, 1):
        inner, outer = sorted((side * half, side * (half + 0.09)))
        swing = side * stride * 0.6
        parts.append(
            block((swing - 0.06, swing + 0.08), (inner, outer), (legs, chest - 0.05), darker(shirt, 0.92), layer=1)
        )
    if rng.random() < 0.15:
        parts.append(
            block(
                (-0.34, -0.13),
                (-0.16, 0.16),
                (legs + 0.1, chest),
                tint(CLOTHES[int(rng.integers(12))], rng, 15.0),
                layer=1,
            )
        )
    if rng.random() < 0.04:
        cloth = tint(CLOTHES[int(rng.integers(12))], rng, 15.0)
        parts.append(block((-0.5, 0.5), (-0.5, 0.5), (tall + 0.1, tall + 0.32), cloth, layer=4, inset=(0.4, 0.4, 0.4)))
    return join(parts)


def rider(rng: np.random.Generator) -> Shape:
    """Return someone astride a bicycle, motorcycle or three-wheeler; z is measured from the ground."""
    shirt, trousers = _dress(rng)
    seat, chest = 0.75, 1.36
    parts = [
        *(block((-0.05, 0.4), span, (0.55, 0.8), trousers, layer=0) for span in ((0.1, 0.26), (-0.26, -0.1))),
        *(
            block((0.22, 0.4), span, (0.2, 0.6), darker(trousers, 0.8), layer=0)
            for span in ((0.12, 0.26), (-0.26, -0.12))
        ),
        block((-0.22, 0.12), (-0.24, 0.24), (seat, chest), shirt, layer=1, inset=(-0.08, 0.06, 0.02)),
        *(
            block((0.0, 0.46), span, (1.0, 1.14), darker(shirt, 0.9), layer=1)
            for span in ((0.22, 0.32), (-0.32, -0.22))
        ),
        *_head(rng, chest, 1.64, 0.08),
    ]
    return join(parts)


def sitter(rng: np.random.Generator) -> Shape:
    """Return someone who sits on a bench, a step or the ground."""
    shirt, trousers = _dress(rng)
    seat = rng.uniform(0.1, 0.45)
    parts = [
        block((-0.05, 0.5), (-0.22, 0.22), (0.0, seat + 0.16), trousers, layer=0, inset=(0.1, 0.0, 0.0)),
        block((-0.22, 0.1), (-0.25, 0.25), (seat, seat + 0.58), shirt, layer=1, inset=(0.05, 0.0, 0.03)),
        *_head(rng, seat + 0.58, seat + 0.86, 0.03),
    ]
    return join(parts)


def _dress(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Return the colours of shirt and trousers."""
    shirt = tint(CLOTHES[int(rng.integers(len(CLOTHES)))], rng, 12.0)
    return shirt, tint(TROUSERS[int(rng.integers(len(TROUSERS)))], rng, 8.0)


def _head(rng: np.random.Generator, neck: float, top: float, x: float) -> list[Shape]:
    """Return a head: skin in front, hair or a cap above."""
    hair = tint(HAIR[int(rng.choice(len(HAIR), p=[0.5, 0.25, 0.1, 0.07, 0.08]))], rng, 6.0)
    skin = tint(SKIN, rng, 10.0)
    return [
        block(
            (x - 0.1, x + 0.1),
            (-0.09, 0.09),
            (neck, top),
            hair,
            layer=3,
            sides=darker(hair, 1.1),
            front=skin,
            rear=hair,
        )
    ]
