"""Buildings, trees, lamp posts and boxes: what hides objects, throws shadows and is mistaken for objects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.placing import Placer
from pointkd.datasets.synthetic_aerial.plan import Area, Plan, Road
from pointkd.datasets.synthetic_aerial.shapes import Colour, Shape, block, flat, join, plate
from pointkd.datasets.synthetic_aerial.vehicles import darker, tint

WALLS: tuple[Colour, ...] = ((196, 186, 170), (168, 120, 96), (205, 200, 192), (140, 138, 136), (180, 160, 130))
ROOFS: tuple[Colour, ...] = (
    (150, 146, 140),
    (120, 122, 124),
    (70, 95, 135),
    (150, 72, 58),
    (176, 168, 158),
    (96, 92, 88),
)
LEAVES: tuple[Colour, ...] = (
    (66, 86, 48),
    (78, 96, 54),
    (56, 76, 48),
    (92, 100, 58),
    (72, 90, 60),
    (58, 82, 44),
    (116, 98, 56),
)
MAX_TREES, MAX_CLUTTER = 40, 26


@dataclass(frozen=True)
class Tree:
    """A crown on a trunk: world x y, radius and height of its top in metres, colour of its leaves."""

    x: float
    y: float
    radius: float
    height: float
    colour: Colour


def build(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[tuple[Shape, float, float, float]]:
    """Return buildings on their areas, as shape, place and height.

    A building hides what lies behind it; none is so tall that it hides much of the road.
    """
    made = []
    slope = math.tan(camera.pitch)
    for area in plan.areas:
        if area.kind != 'building':
            continue
        setback = float(rng.uniform(1.5, 5.0))
        length, width = area.s[1] - area.s[0] - 1.6 * setback, area.t[1] - area.t[0] - 1.6 * setback
        if min(length, width) < 5.0:
            continue
        height = min(
            float(rng.choice([4.0, 7.0, 11.0, 18.0], p=[0.4, 0.3, 0.2, 0.1])), 1.5 + 1.1 * (setback + 2.0) * slope
        )
        x, y = plan.to_world(np.array([sum(area.s) / 2, sum(area.t) / 2]))
        shape = _house(rng, length, width, height).moved(float(x), float(y), plan.angle)
        made.append((shape, float(x), float(y), height))
    return made


def _house(rng: np.random.Generator, length: float, width: float, height: float) -> Shape:
    """Return a flat roof with a parapet, or a gable, on walls with windows."""
    wall, roof = (tint(table[int(rng.integers(len(table)))], rng, 10.0) for table in (WALLS, ROOFS))
    x, y = (-length / 2, length / 2), (-width / 2, width / 2)
    parts = [block(x, y, (0.0, height), roof, sides=wall, front=darker(wall, 0.95), rear=darker(wall, 0.95))]
    parts += _windows(rng, length, width, height)
    if rng.random() < 0.3 and min(length, width) < 18.0:  # a pitched roof
        parts.append(
            block(x, y, (height, height + min(length, width) * 0.22), roof, layer=2, inset=(0.4, 0.4, width * 0.46))
        )
        return join(parts)
    rim = darker(roof, 1.18)
    for span, across in (((x[0], x[1]), (y[0], y[0] + 0.5)), ((x[0], x[1]), (y[1] - 0.5, y[1]))):
        parts.append(flat(span, across, height + 0.02, rim, 2))
    for span in ((x[0], x[0] + 0.5), (x[1] - 0.5, x[1])):
        parts.append(flat(span, y, height + 0.02, rim, 2))
    for _ in range(int(rng.poisson(length * width / 60.0))):
        half = rng.uniform(0.4, 1.6, 2)
        at = rng.uniform(-0.38, 0.38, 2) * [length, width]
        top = height + rng.uniform(0.4, 1.8)
        tone = tint(((180, 180, 178), (120, 122, 126), (70, 100, 150), (160, 90, 70))[int(rng.integers(4))], rng, 12.0)
        parts.append(
            block((at[0] - half[0], at[0] + half[0]), (at[1] - half[1], at[1] + half[1]), (height, top), tone, layer=3)
        )
    return join(parts)


def _windows(rng: np.random.Generator, length: float, width: float, height: float) -> list[Shape]:
    """Return rows of windows on the four walls."""
    panes = []
    step = float(rng.uniform(2.4, 3.6))
    for bottom in np.arange(1.0, height - 1.6, 3.1):
        for span, place, along_x in ((length, width / 2, True), (width, length / 2, False)):
            for at in np.arange(-span / 2 + 1.2, span / 2 - 1.2, step):
                for side in (-1, 1):
                    panes.append(_pane(float(at), side * (place + 0.02), float(bottom), along_x, side))
    return panes[:160]


def _pane(at: float, place: float, bottom: float, along_x: bool, side: int) -> Shape:
    """Return a window whose outside is that of its wall."""
    ends = (at, at + 1.3) if (side < 0) == along_x else (at + 1.3, at)
    corners = [(ends[0], bottom), (ends[1], bottom), (ends[1], bottom + 1.4), (ends[0], bottom + 1.4)]
    points = [[u, place, z] if along_x else [place, u, z] for u, z in corners]
    return plate(points, (58.0, 66.0, 76.0), layer=1)


def plant(rng: np.random.Generator, plan: Plan, placer: Placer) -> list[Tree]:
    """Return rows of trees along pavements, and groups on grass."""
    trees: list[Tree] = []
    base = LEAVES[int(rng.integers(len(LEAVES)))]
    for road in plan.roads:
        for side in (-1, 1):
            if rng.random() < 0.4:
                trees += _row(rng, plan, road, side, base)
    for area in plan.areas:
        if area.kind in ('grass', 'dirt', 'plaza', 'lot'):
            trees += _grove(rng, plan, area, base)
    free = [tree for tree in trees if placer.is_verge(np.array([tree.x, tree.y]))]
    seen = [tree for tree in free if _in_sight(placer.camera, tree)]
    rng.shuffle(seen)  # type: ignore[arg-type]
    return seen[:MAX_TREES]


def _row(rng: np.random.Generator, plan: Plan, road: Road, side: int, base: Colour) -> list[Tree]:
    """Return trees of one kind between road and pavement."""
    start, end = plan.bounds[road.axis]
    step, radius = float(rng.uniform(7.0, 13.0)), float(rng.uniform(1.3, 2.7))
    trees = []
    for along in np.arange(start + rng.uniform(0, step), end, step):
        if rng.random() < 0.3:
            continue
        across = road.centre + side * (road.half() + 1.0)
        place = (along, across) if road.axis == 0 else (across, along)
        trees.append(_tree(rng, plan, place, radius * rng.uniform(0.8, 1.2), base))
    return trees


def _grove(rng: np.random.Generator, plan: Plan, area: Area, base: Colour) -> list[Tree]:
    """Return trees spread over an area, many on grass."""
    surface = (area.s[1] - area.s[0]) * (area.t[1] - area.t[0])
    density = {'grass': rng.choice([0.002, 0.008, 0.02]), 'dirt': 0.003, 'plaza': 0.002, 'lot': 0.001}[area.kind]
    count = min(int(rng.poisson(surface * density)), MAX_TREES)
    places = np.column_stack([rng.uniform(*area.s, count), rng.uniform(*area.t, count)])
    return [_tree(rng, plan, (float(s), float(t)), float(rng.uniform(1.2, 3.6)), base) for s, t in places]


def _tree(rng: np.random.Generator, plan: Plan, place: tuple[float, float], radius: float, base: Colour) -> Tree:
    """Return a tree at a place of the grid."""
    x, y = plan.to_world(np.array(place))
    return Tree(float(x), float(y), radius, radius * rng.uniform(1.8, 2.6) + 0.8, tint(base, rng, 6.0))


def _in_sight(camera: Camera, tree: Tree) -> bool:
    """Return whether some of a crown is in the image."""
    column, row, depth = camera.project(np.array([tree.x, tree.y, tree.height - tree.radius]))
    reach = 1.2 * tree.radius * camera.focal / max(depth, 1.0)
    return bool(depth > 1.0 and -reach < column < camera.side + reach and -reach < row < camera.side + reach)


def clutter(rng: np.random.Generator, plan: Plan, placer: Placer) -> list[tuple[Shape, float, float, float]]:
    """Return lamp posts, bins, stalls, planters and signs on free ground, as shape, place and height."""
    made = []
    for _ in range(min(int(rng.poisson(9.0)), MAX_CLUTTER)):
        shape = _post(rng) if rng.random() < 0.3 else _box(rng)
        (length, width), height = shape.footprint(), float(shape.quads[..., 2].max())
        pose = placer.place('people', max(length, 0.3), max(width, 0.3), 0.0)
        if pose:
            made.append(
                (shape.moved(pose.x, pose.y, plan.angle + rng.choice([0.0, math.pi / 2])), pose.x, pose.y, height)
            )
    return made


def _post(rng: np.random.Generator) -> Shape:
    """Return a lamp post or a sign."""
    height = float(rng.uniform(3.0, 7.5))
    tone = tint((120, 122, 125), rng, 15.0)
    mast = block((-0.07, 0.07), (-0.07, 0.07), (0.0, height), tone)
    if rng.random() < 0.6:
        return join([mast, block((0.0, 1.4), (-0.1, 0.1), (height, height + 0.12), tone, layer=1)])
    sign = plate(
        [[-0.6, 0.0, height - 1.0], [0.6, 0.0, height - 1.0], [0.6, 0.0, height], [-0.6, 0.0, height]],
        tint(((40, 80, 170), (60, 130, 80), (215, 215, 210))[int(rng.integers(3))], rng, 10.0), layer=1, thin=True,
    )  # fmt: skip
    return join([mast, sign])


def _box(rng: np.random.Generator) -> Shape:
    """Return a bin, cabinet, bench, planter or market stall."""
    kind = int(rng.choice(5, p=[0.28, 0.2, 0.3, 0.16, 0.06]))
    length, width, height = ((0.6, 0.5, 1.0), (1.2, 0.5, 1.4), (1.7, 0.5, 0.45), (1.6, 1.2, 0.5), (2.4, 2.0, 2.2))[kind]
    tone = tint(
        ((70, 110, 80), (150, 152, 150), (140, 100, 70), (120, 116, 110), (170, 120, 90))[kind], rng, 25.0, hue=18.0
    )
    inset = (0.3, 0.3, 0.3) if kind == 4 else (0.02, 0.02, 0.02)
    box = block((-length / 2, length / 2), (-width / 2, width / 2), (0.0, height), tone, inset=inset)
    if kind == 3:
        leaves = tint(LEAVES[int(rng.integers(len(LEAVES)))], rng, 10.0)
        return join([box, block((-0.7, 0.7), (-0.5, 0.5), (0.5, 0.95), leaves, layer=1, inset=(0.2, 0.2, 0.2))])
    return box
