"""Cars, vans, trucks and buses."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_aerial.shapes import GLASS, RUBBER, Colour, Shape, block, flat, join

PAINTS: tuple[tuple[float, Colour], ...] = (
    (0.30, (225, 226, 226)),
    (0.17, (42, 43, 47)),
    (0.14, (158, 161, 165)),
    (0.09, (95, 99, 104)),
    (0.10, (165, 30, 30)),
    (0.08, (38, 62, 120)),
    (0.04, (130, 105, 75)),
    (0.04, (225, 175, 40)),
    (0.04, (45, 105, 75)),
)
LOADS: tuple[Colour, ...] = (
    (120, 95, 65),
    (60, 90, 150),
    (190, 190, 185),
    (150, 60, 45),
    (80, 110, 70),
    (205, 160, 60),
)
BUS_PAINTS: tuple[Colour, ...] = (
    (200, 45, 40),
    (235, 235, 230),
    (40, 120, 80),
    (45, 100, 170),
    (230, 165, 45),
    (200, 200, 90),
)
LIGHT, TAIL = (245.0, 245.0, 235.0), (190.0, 25.0, 25.0)


def paint(rng: np.random.Generator) -> Colour:
    """Return the colour of a car, common ones more often."""
    shares = np.array([share for share, _ in PAINTS])
    base = PAINTS[int(rng.choice(len(PAINTS), p=shares / shares.sum()))][1]
    return tint(base, rng, 12.0)


def tint(colour: Colour, rng: np.random.Generator, spread: float, hue: float | None = None) -> Colour:
    """Return a colour near another: spread of its brightness, and of each channel (half as much unless given)."""
    own = spread / 2 if hue is None else hue
    shift, changes = rng.normal(0.0, spread), rng.normal(0.0, own, 3)
    red, green, blue = (
        min(max(base + shift + change, 5.0), 250.0) for base, change in zip(colour, changes, strict=True)
    )
    return float(red), float(green), float(blue)


def darker(colour: Colour, factor: float) -> Colour:
    """Return a colour times a factor."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def lamps(front: float, rear: float, half: float, z: float) -> list[Shape]:
    """Return headlights and tail lights as strips on the upper edges of front and rear."""
    pair = []
    for side in (-1, 1):
        inner, outer = sorted((side * half * 0.55, side * half * 0.95))
        pair.append(flat((front - 0.18, front), (inner, outer), z, LIGHT, layer=1))
        pair.append(flat((rear, rear + 0.16), (inner, outer), z, TAIL, layer=1))
    return pair


def car(rng: np.random.Generator) -> Shape:
    """Return a saloon, hatchback or SUV."""
    tall = rng.random() < 0.3
    length = rng.normal(4.75 if tall else 4.5, 0.25)
    width, height = rng.normal(1.83, 0.06), rng.normal(1.7 if tall else 1.47, 0.06)
    half, front, rear = width / 2, length / 2, -length / 2
    colour = paint(rng)
    belt = height * rng.uniform(0.56, 0.62)
    back = rear + length * (rng.uniform(0.02, 0.06) if tall or rng.random() < 0.35 else rng.uniform(0.16, 0.22))
    ahead = front - length * rng.uniform(0.25, 0.3)
    roof = GLASS if rng.random() < 0.08 else colour
    cabin = block(
        (back, ahead), (-half * 0.93, half * 0.93), (belt, height), roof, layer=2,
        sides=GLASS, inset=(length * 0.15, length * rng.uniform(0.05, 0.13), 0.16),
    )  # fmt: skip
    bonnet = flat((ahead, front - 0.1), (-half * 0.1, half * 0.1), belt + 0.01, darker(colour, 0.94), layer=1)
    low = block((rear, front), (-half, half), (0.12, 0.36), RUBBER, inset=(0.0, 0.0, 0.0))
    body = block((rear, front), (-half, half), (0.3, belt), colour, layer=0, inset=(0.12, 0.1, 0.05))
    taxi = [block((-0.15, 0.15), (-0.4, 0.4), (height, height + 0.18), (240, 220, 80), layer=3)]
    return join(
        [low, body, bonnet, *lamps(front - 0.12, rear + 0.1, half, belt + 0.02), cabin, *taxi[: rng.random() < 0.06]]
    )


def van(rng: np.random.Generator) -> Shape:
    """Return a minibus or delivery van: one box with a short nose."""
    length, width, height = rng.normal(4.9, 0.35), rng.normal(1.85, 0.08), rng.normal(2.05, 0.15)
    half, front, rear = width / 2, length / 2, -length / 2
    white = rng.random() < 0.45
    colour = tint((228, 229, 228), rng, 6.0) if white else paint(rng)
    belt, nose = height * 0.52, front - rng.uniform(0.35, 0.8)
    glazed = rng.random() < 0.6
    upper = block(
        (rear + 0.05, nose), (-half * 0.97, half * 0.97), (belt, height), colour, layer=2,
        sides=GLASS if glazed else darker(colour, 0.97), front=GLASS, rear=GLASS, inset=(0.75, 0.12, 0.12),
    )  # fmt: skip
    ribs = [
        flat((x, x + 0.12), (-half * 0.8, half * 0.8), height + 0.01, darker(colour, 0.86), layer=3)
        for x in np.linspace(rear + 0.5, nose - 1.6, 4)
    ]
    low = block((rear, front), (-half, half), (0.15, 0.4), RUBBER)
    body = block((rear, front), (-half, half), (0.35, belt), colour, inset=(0.1, 0.04, 0.03))
    return join([low, body, *lamps(front - 0.1, rear + 0.05, half, belt + 0.02), upper, *ribs])


def truck(rng: np.random.Generator) -> Shape:
    """Return a lorry: a cab, and a box, a flat bed or a loaded bed behind it."""
    heavy = rng.random() < 0.45
    length = rng.uniform(8.0, 11.5) if heavy else rng.uniform(5.4, 7.2)
    width, cab_height = (2.45, 2.9) if heavy else (2.05, 2.25)
    half, front, rear = width / 2, length / 2, -length / 2
    cab_rear = front - (2.1 if heavy else 1.7)
    cab_colour = tint(((40, 80, 160), (180, 40, 35), (230, 230, 228), (70, 110, 90))[int(rng.integers(4))], rng, 10.0)
    cab = [
        block((cab_rear, front), (-half * 0.96, half * 0.96), (0.5, cab_height * 0.55), cab_colour, layer=1),
        block(
            (cab_rear, front), (-half * 0.96, half * 0.96), (cab_height * 0.55, cab_height), cab_colour, layer=2,
            sides=GLASS, front=GLASS, rear=cab_colour, inset=(0.35, 0.0, 0.08),
        ),
    ]  # fmt: skip
    chassis = block((rear, front), (-half * 0.9, half * 0.9), (0.3, 0.8), RUBBER)
    return join([chassis, *cab, *_cargo(rng, (rear, cab_rear - 0.15), half, cab_height)])


def _cargo(rng: np.random.Generator, x: tuple[float, float], half: float, cab_height: float) -> list[Shape]:
    """Return what a lorry carries."""
    kind = rng.random()
    if kind < 0.45:  # closed box
        colour = tint((222, 222, 218), rng, 8.0) if rng.random() < 0.6 else tint(LOADS[int(rng.integers(6))], rng, 10.0)
        return [block(x, (-half, half), (0.8, cab_height * rng.uniform(1.0, 1.25)), colour, layer=2)]
    wall = tint(((45, 70, 130), (120, 125, 130), (150, 45, 40), (60, 100, 80))[int(rng.integers(4))], rng, 10.0)
    sides = block(x, (-half, half), (0.8, 1.5), wall, layer=1)
    inner = ((x[0] + 0.12, x[1] - 0.12), (-half + 0.12, half - 0.12))
    bed = flat(*inner, 1.51, darker(tint((110, 105, 100), rng, 10.0), 0.8), layer=2)
    if kind < 0.65:
        return [sides, bed]
    load = block(
        *inner,
        (1.45, rng.uniform(1.7, 2.3)),
        tint(LOADS[int(rng.integers(6))], rng, 15.0),
        layer=2,
        inset=(0.3, 0.3, 0.25),
    )
    return [sides, bed, load]


def bus(rng: np.random.Generator) -> Shape:
    """Return a city bus or coach with devices on its roof."""
    length, width, height = rng.uniform(9.5, 12.2), 2.52, rng.uniform(2.9, 3.2)
    half, front, rear = width / 2, length / 2, -length / 2
    colour = tint(BUS_PAINTS[int(rng.integers(len(BUS_PAINTS)))], rng, 10.0)
    roof = tint((225, 226, 224), rng, 6.0) if rng.random() < 0.6 else darker(colour, 1.0)
    skirt = block((rear, front), (-half, half), (0.25, 1.15), colour)
    windows = block((rear, front), (-half, half), (1.15, 2.25), GLASS, layer=1)
    top = block((rear, front), (-half, half), (2.25, height), roof, layer=2, sides=colour, inset=(0.1, 0.1, 0.12))
    devices = []
    for x in np.linspace(rear + 1.5, front - 1.8, int(rng.integers(2, 5))):
        tone = tint((170, 172, 172), rng, 15.0)
        devices.append(block((x - 0.9, x + 0.9), (-0.75, 0.75), (height, height + 0.22), tone, layer=3))
    pillars = [
        flat((x, x + 0.1), (-half * 0.9, half * 0.9), height + 0.005, darker(roof, 0.85), layer=3)
        for x in np.arange(rear + 1.0, front - 0.5, 1.8)
    ]
    return join([skirt, windows, top, *pillars, *devices])
