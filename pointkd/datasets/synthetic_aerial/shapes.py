"""Things made of flat quadrilaterals: the vocabulary of vehicles, people and buildings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]  # red green blue, 0..255
GLASS: Colour = (38.0, 44.0, 52.0)
RUBBER: Colour = (30.0, 30.0, 32.0)


@dataclass(frozen=True)
class Shape:
    """F quadrilaterals in the object's own frame (metres; x forward, y left, z up; origin on the ground).

    Attributes:
        quads: (F, 4, 3) corners, counter-clockwise seen from outside.
        colours: (F, 3) red green blue.
        layers: (F,) int; a higher layer is drawn over a lower one, within a layer far before near.
        thin: (F,) bool; seen from both sides.
    """

    quads: np.ndarray
    colours: np.ndarray
    layers: np.ndarray
    thin: np.ndarray

    def moved(self, x: float, y: float, turn: float, z: float = 0.0) -> Shape:
        """Return the shape turned by an angle (radians, counter-clockwise) and put at a place."""
        cosine, sine = np.cos(turn), np.sin(turn)
        turned = self.quads @ np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return Shape(turned + np.array([x, y, z]), self.colours, self.layers, self.thin)

    def scaled(self, factor: float) -> Shape:
        """Return the shape enlarged."""
        return Shape(self.quads * factor, self.colours, self.layers, self.thin)

    def footprint(self) -> tuple[float, float]:
        """Return length and width around the origin, metres."""
        reach = np.abs(self.quads[..., :2]).max(axis=(0, 1)) * 2
        return float(reach[0]), float(reach[1])


def join(parts: Sequence[Shape]) -> Shape:
    """Return one shape of several."""
    return Shape(
        np.concatenate([part.quads for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.layers for part in parts]),
        np.concatenate([part.thin for part in parts]),
    )


def block(
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    colour: Colour,
    *,
    layer: int = 0,
    sides: Colour | None = None,
    front: Colour | None = None,
    rear: Colour | None = None,
    inset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Shape:
    """Return a box without a bottom whose top may be smaller.

    Args:
        x: rear and front end, metres.
        y: right and left side.
        z: bottom and top.
        colour: of the top, and of what has no colour of its own.
        layer: see `Shape`.
        sides: colour of the two sides.
        front: colour of the front.
        rear: colour of the rear.
        inset: how far the top recedes at the front, the rear and the sides, metres.
    """
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    low = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]])
    shrink = np.array(
        [[inset[1], inset[2], 0], [-inset[0], inset[2], 0], [-inset[0], -inset[2], 0], [inset[1], -inset[2], 0]]
    )
    high = low + shrink + [0, 0, z1 - z0]
    walls = [[low[a], low[b], high[b], high[a]] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    flank = sides or colour
    colours = [flank, front or flank, flank, rear or flank, colour]
    return Shape(np.array([*walls, high]), np.array(colours), np.full(5, layer), np.zeros(5, dtype=bool))


def plate(corners: Sequence[Sequence[float]], colour: Colour, *, layer: int = 0, thin: bool = False) -> Shape:
    """Return one quadrilateral, given by four corners."""
    return Shape(np.array([corners], dtype=float), np.array([colour]), np.array([layer]), np.array([thin]))


def flat(x: tuple[float, float], y: tuple[float, float], z: float, colour: Colour, layer: int = 0) -> Shape:
    """Return a level rectangle seen from above."""
    (x0, x1), (y0, y1) = x, y
    return plate([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], colour, layer=layer)


def wheel(x: float, y: float, radius: float, colour: Colour = RUBBER, layer: int = 0) -> Shape:
    """Return an upright hexagon in the plane of the direction of travel, seen from both sides."""
    angles = np.linspace(0.0, 2 * np.pi, 6, endpoint=False)
    rim = np.column_stack([x + radius * np.cos(angles), np.full(6, y), radius + radius * np.sin(angles)])
    halves = np.array([rim[[0, 1, 2, 3]], rim[[3, 4, 5, 0]]])
    return Shape(halves, np.array([colour, colour]), np.full(2, layer), np.ones(2, dtype=bool))
