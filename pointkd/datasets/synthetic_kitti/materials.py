"""What surfaces are made of: how they answer a laser and which colour they have in the image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Material(NamedTuple):
    """A surface.

    Attributes:
        reflectance: share of the light sent back at right incidence, 0..1, as KITTI's fourth column shows it.
        loss: share of the pulses that never come back (glass, mirrors, dark paint).
        colour: red, green, blue, 0..255.
    """

    reflectance: float
    loss: float
    colour: tuple[int, int, int]


PALETTE: dict[str, Material] = {
    'asphalt': Material(0.22, 0.03, (88, 88, 92)),
    'pavement': Material(0.30, 0.03, (140, 136, 130)),
    'grass': Material(0.38, 0.05, (92, 120, 60)),
    'glass': Material(0.08, 0.80, (40, 52, 64)),
    'rubber': Material(0.06, 0.15, (28, 28, 30)),
    'metal': Material(0.45, 0.05, (150, 152, 156)),
    'plate': Material(0.95, 0.00, (230, 230, 220)),
    'lamp': Material(0.80, 0.05, (220, 190, 150)),
    'wood': Material(0.32, 0.03, (110, 86, 62)),
    'skin': Material(0.45, 0.03, (205, 160, 130)),
    'brick': Material(0.34, 0.02, (150, 92, 74)),
    'plaster': Material(0.46, 0.02, (205, 196, 176)),
    'concrete': Material(0.38, 0.02, (160, 158, 152)),
    'stone': Material(0.30, 0.02, (120, 112, 104)),
    'leaf_dark': Material(0.34, 0.10, (48, 84, 40)),
    'leaf': Material(0.42, 0.10, (74, 116, 52)),
    'leaf_light': Material(0.50, 0.10, (120, 142, 64)),
    'paint_black': Material(0.08, 0.30, (24, 25, 28)),
    'paint_blue': Material(0.20, 0.10, (36, 56, 112)),
    'paint_red': Material(0.34, 0.06, (150, 28, 30)),
    'paint_grey': Material(0.25, 0.08, (104, 108, 112)),
    'paint_silver': Material(0.48, 0.05, (178, 182, 186)),
    'paint_white': Material(0.62, 0.03, (232, 232, 230)),
    'paint_green': Material(0.24, 0.08, (38, 82, 58)),
    'cloth_black': Material(0.12, 0.10, (30, 30, 34)),
    'cloth_blue': Material(0.25, 0.04, (52, 72, 120)),
    'cloth_red': Material(0.40, 0.03, (168, 52, 48)),
    'cloth_grey': Material(0.33, 0.04, (122, 122, 124)),
    'cloth_white': Material(0.62, 0.02, (226, 222, 214)),
    'cloth_green': Material(0.30, 0.04, (66, 96, 60)),
}

NUMBERS: dict[str, int] = {name: number for number, name in enumerate(PALETTE)}
REFLECTANCE = np.array([material.reflectance for material in PALETTE.values()], dtype=np.float64)
LOSS = np.array([material.loss for material in PALETTE.values()], dtype=np.float64)
COLOUR = np.array([material.colour for material in PALETTE.values()], dtype=np.float64)


def pick(rng: np.random.Generator, family: str) -> str:
    """Return a random material of a family: `paint`, `cloth`, `leaf`, or a list of names with spaces between."""
    names = family.split() if ' ' in family else [name for name in PALETTE if name.split('_')[0] == family]
    return names[int(rng.integers(len(names)))]
