"""The picture of the ground: materials, wear and markings from above, then seen by the camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.plan import LOT_MODULE_M, STALL_DEPTH_M, STALL_M, Area, Plan, Road
from pointkd.datasets.synthetic_aerial.vehicles import tint

MAP_PX = 800  # longer side of the picture from above
MAX_PX_PER_M = 60.0
SHADES = 20  # of one material in a scene
# Colours (red green blue) and how strongly each material varies.
MATERIALS = {
    'asphalt': (((95, 96, 99), (118, 117, 115), (78, 80, 86)), 0.07),
    'pavement': (((158, 152, 144), (140, 138, 136), (168, 150, 136)), 0.08),
    'plaza': (((176, 168, 156), (150, 146, 142), (186, 160, 140)), 0.07),
    'court': (((150, 62, 56), (62, 92, 138), (72, 118, 84)), 0.04),
    'lot': (((112, 111, 110), (132, 130, 126), (92, 94, 98)), 0.08),
    'grass': (((92, 112, 58), (78, 104, 60), (118, 116, 66), (66, 92, 50)), 0.22),
    'dirt': (((148, 128, 100), (130, 118, 98), (160, 144, 120)), 0.17),
    'building': (((120, 118, 114),), 0.1),
}
WHITE, YELLOW = (222, 222, 216), (205, 172, 70)


class GroundMap:
    """The ground from above, drawn in grid coordinates.

    Args:
        plan: what lies where.
        camera: decides which part is drawn and how finely.
    """

    def __init__(self, plan: Plan, camera: Camera) -> None:
        corners = camera.corners()
        self.low, high = corners.min(axis=0) - 1.0, corners.max(axis=0) + 1.0
        extent = high - self.low
        self.px_per_m = min(MAP_PX / float(extent.max()), MAX_PX_PER_M)
        self.width, self.height = (int(np.ceil(length * self.px_per_m)) for length in extent)
        self.plan = plan
        self.zones = np.zeros((self.height, self.width), np.uint8)
        self.colours: list[tuple[float, float, float]] = []
        self.amplitudes: list[float] = []
        self.shades: dict[str, list[int]] = {}
        self.image = np.zeros((self.height, self.width, 3), np.uint8)

    def pixels(self, grid: np.ndarray) -> np.ndarray:
        """Return (N, 2) int32 pixels, with 4 binary places, of grid points (N, 2)."""
        place = (self.plan.to_world(np.asarray(grid, dtype=float)) - self.low) * self.px_per_m
        return np.rint(np.clip(place, -30_000, 30_000) * 16).astype(np.int32)

    def material(self, rng: np.random.Generator, name: str) -> int:
        """Return the number of a patch of a material, as a rule with a shade of its own."""
        known = self.shades.setdefault(name, [])
        if len(known) >= SHADES:  # zones are numbered by one byte
            return known[int(rng.integers(len(known)))]
        choices, amplitude = MATERIALS[name]
        self.colours.append(tint(choices[int(rng.integers(len(choices)))], rng, 6.0, hue=2.5))
        self.amplitudes.append(amplitude)
        known.append(len(self.colours) - 1)
        return known[-1]

    def zone(self, rectangle: tuple[tuple[float, float], tuple[float, float]], number: int) -> None:
        """Give a rectangle (s range, t range) to a patch."""
        cv2.fillConvexPoly(self.zones, self.pixels(_corners(rectangle)), number, cv2.LINE_8, 4)

    def texture(self, rng: np.random.Generator) -> None:
        """Colour the zones, with wear and grain."""
        noise = fractal(rng, self.height, self.width)
        strength = cv2.LUT(self.zones, _table(self.amplitudes, np.float32))
        colours = cv2.LUT(cv2.merge([self.zones] * 3), _table(self.colours, np.uint8))
        self.image = times(colours, 1.0 + noise * strength)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Sequence[float], width_m: float
    ) -> None:
        """Paint a straight stripe between two grid points."""
        (s0, t0), (s1, t1) = start, end
        length = float(np.hypot(s1 - s0, t1 - t0)) or 1.0
        across = np.array([-(t1 - t0), s1 - s0]) / length * width_m / 2
        ends = np.array([start, end])
        quad = np.array([ends[0] + across, ends[1] + across, ends[1] - across, ends[0] - across])
        cv2.fillConvexPoly(self.image, self.pixels(quad), tuple(colour), cv2.LINE_AA, 4)

    def seen(self, camera: Camera, zoom: int) -> np.ndarray:
        """Return the (zoom*side, zoom*side, 3) uint8 picture that the camera has of the ground."""
        to_ground = np.array([[1 / self.px_per_m, 0, self.low[0]], [0, 1 / self.px_per_m, self.low[1]], [0, 0, 1.0]])
        matrix = np.diag([zoom, zoom, 1.0]) @ camera.ground_matrix() @ to_ground
        size = (zoom * camera.side, zoom * camera.side)
        return cv2.warpPerspective(self.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def fractal(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return (height, width) float32 noise of several grains, about unit spread."""
    half = (width // 2 + 1, height // 2 + 1)
    total = 0.75 * rng.standard_normal((half[1], half[0]), dtype=np.float32)
    for cells in (5, 23, 97):
        coarse = 0.45 * rng.standard_normal((cells, cells), dtype=np.float32)
        total += cv2.resize(coarse, half, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(total, (width, height), interpolation=cv2.INTER_LINEAR))


def times(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 times a factor (H, W) float32, clipped."""
    return np.asarray(cv2.multiply(image, cv2.merge([factor] * 3), dtype=cv2.CV_8U))


def _table(values: Sequence[Any], kind: type) -> np.ndarray:
    """Return a look-up table of OpenCV for the zones' numbers."""
    rows = np.array(values, np.float32)
    table: np.ndarray = np.zeros((256, *rows.shape[1:]), kind)
    table[: len(rows)] = rows
    return table[None] if rows.ndim > 1 else table


def draw_ground(rng: np.random.Generator, plan: Plan, camera: Camera, zoom: int) -> np.ndarray:
    """Return the picture of the ground without anything on it, red green blue."""
    ground = GroundMap(plan, camera)
    ground.zone(plan.bounds, ground.material(rng, 'grass'))
    for area in plan.areas:
        ground.zone((area.s, area.t), ground.material(rng, area.kind))
    pavement, asphalt = ground.material(rng, 'pavement'), ground.material(rng, 'asphalt')
    for road in plan.roads:
        ground.zone(_strip(plan, road, road.reach()), pavement)
    for road in plan.roads:
        ground.zone(_strip(plan, road, road.half()), asphalt)
    ground.texture(rng)
    _wear(rng, ground)
    for area in plan.areas:
        _mark_area(rng, ground, area)
    for road in plan.roads:
        _mark_road(rng, ground, road)
    for road, place in plan.crossings:
        _zebra(ground, road, place)
    return ground.seen(camera, zoom)


def _corners(rectangle: tuple[tuple[float, float], tuple[float, float]]) -> np.ndarray:
    """Return the (4, 2) corners of a rectangle."""
    (s0, s1), (t0, t1) = rectangle
    return np.array([[s0, t0], [s1, t0], [s1, t1], [s0, t1]])


def _strip(plan: Plan, road: Road, half: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the rectangle of a road's length and a width."""
    across = (road.centre - half, road.centre + half)
    return (plan.bounds[0], across) if road.axis == 0 else (across, plan.bounds[1])


def _on(road: Road, along: float, across: float) -> tuple[float, float]:
    """Return s t of a place given along and across a road."""
    return (along, road.centre + across) if road.axis == 0 else (road.centre + across, along)


def _mark_road(rng: np.random.Generator, ground: GroundMap, road: Road) -> None:
    """Paint lane lines, edges and kerbs."""
    start, end = ground.plan.bounds[road.axis]
    half = road.half()
    for side in (-1, 1):
        ground.line(_on(road, start, side * half), _on(road, end, side * half), (176, 174, 168), 0.25)
        if rng.random() < 0.6:
            edge = side * (road.lanes * road.lane_m - 0.15)
            ground.line(_on(road, start, edge), _on(road, end, edge), WHITE, 0.14)
    middle = YELLOW if rng.random() < 0.6 else WHITE
    for offset in (-0.15, 0.15) if road.lanes > 1 else (0.0,):
        ground.line(_on(road, start, offset), _on(road, end, offset), middle, 0.14)
    dash = float(rng.uniform(2.0, 4.0))
    for lane in range(1, road.lanes):
        for across in (-lane * road.lane_m, lane * road.lane_m):
            for along in np.arange(start, end, 2.6 * dash):
                ground.line(_on(road, along, across), _on(road, along + dash, across), WHITE, 0.14)


def _zebra(ground: GroundMap, road: Road, place: float) -> None:
    """Paint the stripes of a crossing over a road, and its stop lines."""
    half = road.half()
    for across in np.arange(-half + 0.4, half - 0.3, 1.0):
        ground.line(_on(road, place - 1.8, across), _on(road, place + 1.8, across), WHITE, 0.5)
    ground.line(_on(road, place - 3.4, -half + 0.3), _on(road, place - 3.4, -0.2), WHITE, 0.3)
    ground.line(_on(road, place + 3.4, 0.2), _on(road, place + 3.4, half - 0.3), WHITE, 0.3)


def _mark_area(rng: np.random.Generator, ground: GroundMap, area: Area) -> None:
    """Paint stalls, slabs or the lines of a playing field."""
    (s0, s1), (t0, t1) = area.s, area.t
    if area.kind == 'lot':
        for base in np.arange(t0, t1, LOT_MODULE_M):
            for low in (base, base + LOT_MODULE_M - STALL_DEPTH_M):
                for s in np.arange(s0, s1, STALL_M):
                    if low + STALL_DEPTH_M <= t1:
                        ground.line((s, low), (s, low + STALL_DEPTH_M), WHITE, 0.12)
    elif area.kind == 'court':
        inset = 1.5
        box = _corners(((s0 + inset, s1 - inset), (t0 + inset, t1 - inset)))
        for one, other in zip(box, np.roll(box, -1, axis=0), strict=True):
            ground.line(tuple(one), tuple(other), WHITE, 0.12)
        ground.line(((s0 + s1) / 2, t0 + inset), ((s0 + s1) / 2, t1 - inset), WHITE, 0.12)
    elif area.kind == 'plaza':
        step, tone = float(rng.uniform(2.0, 5.0)), rng.uniform(115, 150, 3).tolist()
        for s in np.arange(s0, s1, step):
            ground.line((s, t0), (s, t1), tone, 0.1)
        for t in np.arange(t0, t1, step):
            ground.line((s0, t), (s1, t), tone, 0.1)


def _wear(rng: np.random.Generator, ground: GroundMap) -> None:
    """Darken patches, cracks and oil stains."""
    (s0, s1), (t0, t1) = ground.plan.bounds
    for _ in range(int(rng.integers(6, 22))):
        s, t = rng.uniform(s0, s1), rng.uniform(t0, t1)
        length, turn = rng.uniform(1.0, 12.0), rng.uniform(0, np.pi)
        place = (ground.plan.to_world(np.array([s, t])) - ground.low) * ground.px_per_m
        place = np.clip(place, 0, [ground.width - 1, ground.height - 1])
        base = ground.image[int(place[1]), int(place[0])].astype(float) * rng.uniform(0.8, 1.08)
        end = (s + length * np.cos(turn), t + length * np.sin(turn))
        ground.line((s, t), end, np.clip(base, 0, 255).tolist(), float(rng.choice([0.12, 0.4, 1.5, 3.0])))
