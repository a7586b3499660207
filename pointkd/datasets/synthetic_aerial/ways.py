"""Where things of one kind belong: from any point of the plan to the nearest lane, stall, kerb or pavement."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pointkd.datasets.synthetic_aerial.plan import KERB_M, LOT_MODULE_M, STALL_DEPTH_M, STALL_M, Area, Plan, Road

Spot = tuple[float, float, float]  # s, t and turn in the grid
GRID_KERB_M = 6.0  # from car to car along a kerb
ROW_M = 0.8  # between bicycles that stand side by side


def nearest_road(plan: Plan, s: float, t: float) -> Road | None:
    """Return the road nearest to a point."""
    distance = [abs((t if road.axis == 0 else s) - road.centre) - road.half() for road in plan.roads]
    return plan.roads[int(np.argmin(distance))] if distance else None


def _place(road: Road, along: float, across: float, turn: float) -> Spot:
    """Return s, t, turn in the grid of a place given along and across a road."""
    if road.axis == 0:
        return along, road.centre + across, turn
    return road.centre + across, along, math.pi / 2 - turn


def split(road: Road, s: float, t: float) -> tuple[float, float]:
    """Return a point's place along and across a road."""
    return (s, t - road.centre) if road.axis == 0 else (t, s - road.centre)


def lane_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return the middle of the nearest lane."""
    road = nearest_road(plan, s, t)
    if road is None:
        return None
    along, across = split(road, s, t)
    lane = min(int(abs(across) / road.lane_m), road.lanes - 1) + 0.5
    side = 1 if across >= 0 else -1
    turn = (math.pi if side > 0 else 0.0) + rng.normal(0.0, 0.03)
    return _place(road, along, side * lane * road.lane_m + rng.normal(0.0, 0.15), turn)


def kerb_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return a place in the row of cars at the kerb."""
    road = nearest_road(plan, s, t)
    if road is None or not road.parking:
        return None
    along, across = split(road, s, t)
    side = 1 if across >= 0 else -1
    place = round(along / GRID_KERB_M) * GRID_KERB_M + rng.normal(0.0, 0.25)
    turn = (math.pi if side > 0 else 0.0) + (math.pi if rng.random() < 0.15 else 0.0) + rng.normal(0, 0.03)
    return _place(road, place, side * (road.half() - KERB_M / 2) + rng.normal(0.0, 0.08), turn)


def edge_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return a place at the edge of the nearest road, as cycles ride."""
    road = nearest_road(plan, s, t)
    if road is None:
        return None
    along, across = split(road, s, t)
    side = 1 if across >= 0 else -1
    turn = (math.pi if side > 0 else 0.0) + (math.pi if rng.random() < 0.15 else 0.0) + rng.normal(0, 0.15)
    place = side * (road.lanes * road.lane_m - rng.uniform(0.5, 2.2))
    return _place(road, along, place, turn)


def row_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return a place in a row of cycles across the pavement."""
    road = nearest_road(plan, s, t)
    if road is None:
        return None
    along, across = split(road, s, t)
    side = 1 if across >= 0 else -1
    place = round(along / ROW_M) * ROW_M + rng.normal(0.0, 0.05)
    return _place(road, place, side * (road.half() + 1.25), side * math.pi / 2 + rng.normal(0.2, 0.12))


def pavement_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return a place on the nearest pavement."""
    road = nearest_road(plan, s, t)
    if road is None:
        return None
    along, across = split(road, s, t)
    side = 1 if across >= 0 else -1
    place = side * np.clip(abs(across), road.half() + 0.4, road.reach() - 0.3)
    turn = (math.pi if rng.random() < 0.5 else 0.0) + rng.normal(0.0, 0.35)
    return _place(road, along, float(place) + rng.normal(0.0, 0.3), turn)


def crossing_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return a place on some crossing."""
    if not plan.crossings:
        return None
    road, place = plan.crossings[int(rng.integers(len(plan.crossings)))]
    _, across = split(road, s, t)
    turn = rng.choice([-1, 1]) * math.pi / 2 + rng.normal(0.0, 0.3)
    across = float(np.clip(across, -road.half(), road.half()))
    return _place(road, place + rng.uniform(-1.8, 1.8), across, float(turn))


def lot_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return the stall of a car park that holds the point."""
    area = _area(plan, ('lot',), s, t)
    if area is None:
        return None
    module = math.floor((t - area.t[0]) / LOT_MODULE_M)
    base = area.t[0] + module * LOT_MODULE_M
    upper = t - base > LOT_MODULE_M / 2
    row = base + (LOT_MODULE_M - STALL_DEPTH_M / 2 if upper else STALL_DEPTH_M / 2)
    stall = area.s[0] + (math.floor((s - area.s[0]) / STALL_M) + 0.5) * STALL_M
    if not area.holds(stall, row, 1.2):
        return None
    turn = math.pi / 2 * rng.choice([-1, 1]) + rng.normal(0.0, 0.03)
    return stall + rng.normal(0.0, 0.08), row + rng.normal(0.0, 0.2), float(turn)


def plaza_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return the point where people may stand: a plaza, a playing field, bare earth."""
    if _area(plan, ('plaza', 'court', 'dirt'), s, t) is None:
        return None
    return s, t, float(rng.uniform(-math.pi, math.pi))


def open_spot(plan: Plan, rng: np.random.Generator, s: float, t: float) -> Spot | None:
    """Return the point unless a building stands there."""
    if any(area.holds(s, t, -1.0) for area in plan.areas if area.kind == 'building') and not on_road(plan, s, t):
        return None
    return s, t, float(rng.uniform(-math.pi, math.pi))


def on_road(plan: Plan, s: float, t: float) -> bool:
    """Return whether a point is on a road or its pavement."""
    road = nearest_road(plan, s, t)
    return road is not None and abs(split(road, s, t)[1]) < road.reach()


def _area(plan: Plan, kinds: tuple[str, ...], s: float, t: float) -> Area | None:
    """Return the area of a kind that holds a point."""
    return next((area for area in plan.areas if area.kind in kinds and area.holds(s, t)), None)


WAYS: dict[str, Callable[[Plan, np.random.Generator, float, float], Spot | None]] = {
    'lane': lane_spot,
    'kerb': kerb_spot,
    'edge': edge_spot,
    'row': row_spot,
    'pavement': pavement_spot,
    'crossing': crossing_spot,
    'lot': lot_spot,
    'plaza': plaza_spot,
    'open': open_spot,
}
