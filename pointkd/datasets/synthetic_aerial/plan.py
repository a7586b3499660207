"""The ground plan of a scene: a grid of roads with pavements, and blocks of areas between them.

Grid frame: metres; s along the main roads, t across them; turned against the world by the plan's angle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.classes import VEHICLES
from pointkd.datasets.synthetic_aerial.statistics import Wanted

MARGIN_M = 12.0  # the plan reaches this far beyond what the camera sees
KERB_M = 2.3  # width of a row of cars parked along the road
STALL_M, STALL_DEPTH_M, AISLE_M = 2.65, 5.3, 6.2
LOT_MODULE_M = 2 * STALL_DEPTH_M + AISLE_M


@dataclass(frozen=True)
class Road:
    """A straight road with pavements.

    Attributes:
        axis: 0 where it runs along s, 1 along t.
        centre: place on the other axis.
        lanes: in each direction.
        lane_m: width of a lane.
        parking: whether cars may stand along the kerbs.
        pavement_m: width of each pavement.
    """

    axis: int
    centre: float
    lanes: int
    lane_m: float
    parking: bool
    pavement_m: float

    def half(self) -> float:
        """Return half of the width between the kerbs."""
        return self.lanes * self.lane_m + (KERB_M if self.parking else 0.0)

    def reach(self) -> float:
        """Return half of the width, pavements included."""
        return self.half() + self.pavement_m


@dataclass(frozen=True)
class Area:
    """A rectangle of the plan: grass, plaza, court, dirt, lot (of parked cars) or building."""

    kind: str
    s: tuple[float, float]
    t: tuple[float, float]

    def holds(self, s: float, t: float, margin: float = 0.0) -> bool:
        """Return whether a point lies inside, by a margin."""
        inside_s = self.s[0] + margin <= s <= self.s[1] - margin
        return inside_s and self.t[0] + margin <= t <= self.t[1] - margin


@dataclass(frozen=True)
class Plan:
    """Roads and areas; `bounds` are (s0, s1), (t0, t1) of what is planned; crossings are places along each road."""

    angle: float
    bounds: tuple[tuple[float, float], tuple[float, float]]
    roads: list[Road]
    areas: list[Area]
    crossings: list[tuple[Road, float]] = field(default_factory=list)

    def to_grid(self, points: np.ndarray) -> np.ndarray:
        """Return (..., 2) s t of world points (..., 2)."""
        return points @ rotation(-self.angle).T

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Return (..., 2) x y of grid points (..., 2)."""
        return points @ rotation(self.angle).T


def rotation(angle: float) -> np.ndarray:
    """Return the (2, 2) matrix that turns counter-clockwise."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def random_plan(rng: np.random.Generator, camera: Camera, wanted: Wanted) -> Plan:
    """Return a plan in whose visible part the wanted objects find their places."""
    angle = float(rng.uniform(-math.pi, math.pi))
    seen = camera.corners() @ rotation(-angle).T
    low, high = seen.min(axis=0), seen.max(axis=0)
    bounds = ((low[0] - MARGIN_M, high[0] + MARGIN_M), (low[1] - MARGIN_M, high[1] + MARGIN_M))
    vehicles = sum(wanted.counts[name] for name in VEHICLES)
    share = vehicles / max(sum(wanted.counts.values()), 1)
    roads = _roads(rng, bounds, np.minimum(-low, high), vehicles, share)
    crossings = [(road, float(rng.uniform(*bounds[road.axis]) * 0.5)) for road in roads if rng.random() < 0.5]
    return Plan(angle, bounds, roads, _areas(rng, bounds, roads, vehicles, share), crossings)


def _road(rng: np.random.Generator, axis: int, centre: float, vehicles: int) -> Road:
    """Return a road, wider where more vehicles need it."""
    lanes = int(np.clip(1 + rng.poisson(0.35 + 0.05 * vehicles), 1, 4))
    parking = bool(rng.random() < (0.5 if lanes <= 2 else 0.15))
    return Road(axis, centre, lanes, float(rng.uniform(3.0, 3.5)), parking, float(rng.uniform(2.5, 6.5)))


def _roads(
    rng: np.random.Generator, bounds: tuple[tuple[float, float], ...], near: np.ndarray, vehicles: int, share: float
) -> list[Road]:
    """Return the main road, where vehicles or the people on its pavement are in view, its parallels and cross roads."""
    main = _road(rng, 0, 0.0, vehicles)
    if vehicles and rng.random() < 0.3 + share:
        centre = float(rng.uniform(-0.45, 0.45) * near[1])
    else:  # people come first: a pavement or what lies behind it is in the middle
        centre = float(rng.choice([-1, 1]) * (main.half() + rng.uniform(0.2, 1.0) * (main.pavement_m + 4.0)))
    main = Road(0, centre, main.lanes, main.lane_m, main.parking, main.pavement_m)
    roads = [main]
    for direction in (-1, 1):
        place = centre + direction * rng.uniform(45.0, 95.0)
        while bounds[1][0] < place < bounds[1][1]:
            roads.append(_road(rng, 0, float(place), vehicles // 2))
            place += direction * rng.uniform(45.0, 95.0)
    if rng.random() < 0.4:
        place = float(rng.uniform(*bounds[0]) * 0.7)
        while place < bounds[0][1]:
            roads.append(_road(rng, 1, place, vehicles // 2))
            place += float(rng.uniform(60.0, 150.0))
    return roads


def _areas(
    rng: np.random.Generator, bounds: tuple[tuple[float, float], ...], roads: list[Road], vehicles: int, share: float
) -> list[Area]:
    """Fill what the roads leave over."""
    areas = []
    for s_range in _gaps(bounds[0], [road for road in roads if road.axis == 1]):
        for t_range in _gaps(bounds[1], [road for road in roads if road.axis == 0]):
            for t_part in _pieces(rng, t_range, 22.0, 45.0):
                for s_part in _pieces(rng, s_range, 14.0, 42.0):
                    areas.append(Area(_kind(rng, vehicles, share), s_part, t_part))
    return areas


def _kind(rng: np.random.Generator, vehicles: int, share: float) -> str:
    """Return what a block is used for: parking where there are many vehicles, plazas where there are people."""
    kinds = ('lot', 'plaza', 'court', 'dirt', 'grass', 'building')
    lots = 0.5 * share * min(vehicles / 12.0, 2.0)
    weights = np.array([lots, 0.1 + 0.6 * (1 - share), 0.01 + 0.06 * (1 - share), 0.09, 0.35, 0.38])
    return str(rng.choice(kinds, p=weights / weights.sum()))


def _gaps(bounds: tuple[float, float], roads: list[Road]) -> list[tuple[float, float]]:
    """Return the intervals between roads that run in parallel."""
    start, gaps = bounds[0], []
    for road in sorted(roads, key=lambda road: road.centre):
        if road.centre - road.reach() > start:
            gaps.append((start, road.centre - road.reach()))
        start = max(start, road.centre + road.reach())
    return [*gaps, (start, bounds[1])] if bounds[1] > start else gaps


def _pieces(
    rng: np.random.Generator, whole: tuple[float, float], least: float, most: float
) -> list[tuple[float, float]]:
    """Cut an interval into pieces of random length."""
    cuts = [whole[0]]
    while whole[1] - cuts[-1] > most:
        cuts.append(cuts[-1] + float(rng.uniform(least, most)))
    return list(zip(cuts, [*cuts[1:], whole[1]], strict=True))
