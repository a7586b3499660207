"""Finds a free place for each object where objects of its class belong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.plan import STALL_M, Plan
from pointkd.datasets.synthetic_aerial.ways import GRID_KERB_M, ROW_M, WAYS, Spot, split

TRIES, TRIES_IN_STYLE = 60, 40  # after the latter, any open ground will do
# Where each class is looked for, and how often.
HABITS: dict[str, dict[str, float]] = {
    'car': {'lane': 0.5, 'kerb': 0.2, 'lot': 0.3},
    'van': {'lane': 0.5, 'kerb': 0.2, 'lot': 0.3},
    'truck': {'lane': 0.6, 'kerb': 0.15, 'lot': 0.25},
    'bus': {'lane': 1.0},
    'tricycle': {'edge': 0.5, 'pavement': 0.25, 'kerb': 0.25},
    'awning-tricycle': {'edge': 0.5, 'pavement': 0.25, 'kerb': 0.25},
    'bicycle': {'edge': 0.4, 'row': 0.4, 'pavement': 0.2},
    'motor': {'edge': 0.5, 'row': 0.35, 'pavement': 0.15},
    'people': {'pavement': 0.45, 'plaza': 0.55},
    'pedestrian': {'pavement': 0.5, 'plaza': 0.3, 'crossing': 0.12, 'edge': 0.08},
}
RIDING = ('edge', 'lane')
# Chance that an object joins one that was placed in the same way, and how far away along and across (metres).
JOINS: dict[str, tuple[float, float, float]] = {
    'lane': (0.5, 0.0, 0.0),
    'kerb': (0.75, GRID_KERB_M, 0.0),
    'lot': (0.85, STALL_M, 0.0),
    'edge': (0.65, 1.4, 0.7),
    'row': (0.92, ROW_M, 0.0),
    'pavement': (0.8, 0.8, 0.7),
    'plaza': (0.85, 0.9, 0.9),
    'crossing': (0.8, 0.9, 0.9),
    'open': (0.6, 1.5, 1.5),
}


@dataclass(frozen=True)
class Pose:
    """Where an object stands: world x y (metres), turn (radians), the way it was placed, its length."""

    x: float
    y: float
    turn: float
    way: str
    length: float


class Placer:
    """Keeps account of what is taken.

    Args:
        rng: decides about places.
        camera: objects are put where their middle is in its image.
        plan: what the ground is.
    """

    def __init__(self, rng: np.random.Generator, camera: Camera, plan: Plan) -> None:
        self.rng, self.camera, self.plan = rng, camera, plan
        self.discs = np.zeros((0, 3))  # x, y, radius of what is taken
        self.poses: dict[str, list[Pose]] = {way: [] for way in JOINS}
        self.solid = [area for area in plan.areas if area.kind == 'building']

    def place(self, name: str, length: float, width: float, height: float) -> Pose | None:
        """Return a free place for an object of a class, and take it; None where none was found."""
        ways, weights = list(HABITS[name]), list(HABITS[name].values())
        for attempt in range(TRIES):
            way = str(self.rng.choice(ways, p=weights)) if attempt < TRIES_IN_STYLE else 'open'
            found = self._candidate(way, length)
            if found is None:
                continue
            pose = self._to_world(found, way, length)
            if self._in_view(pose, height) and self.take(pose, length, width):
                self.poses[way].append(pose)
                return pose
        return None

    def random_ground(self) -> np.ndarray:
        """Return (2,) s t of the ground behind a random pixel."""
        pixel = self.rng.uniform(0, self.camera.side, 2)
        return self.plan.to_grid(self.camera.ground(pixel))

    def _candidate(self, way: str, length: float) -> Spot | None:
        """Return s, t and turn in the grid of a place that is right for a way, or None."""
        chance, along, across = JOINS[way]
        point = self.random_ground()
        heading = None
        if self.poses[way] and self.rng.random() < chance:
            friend = self.poses[way][int(self.rng.integers(len(self.poses[way])))]
            heading = friend.turn - self.plan.angle
            point = self._beside(friend, way, length, along, across)
        found = WAYS[way](self.plan, self.rng, float(point[0]), float(point[1]))
        if found and heading is not None and way in ('pavement', 'plaza', 'crossing'):  # groups walk together
            return found[0], found[1], heading + self.rng.normal(0.0, 0.35)
        return found

    def _beside(self, friend: Pose, way: str, length: float, along: float, across: float) -> np.ndarray:
        """Return (2,) s t of a place near another object."""
        place = self.plan.to_grid(np.array([friend.x, friend.y]))
        turn = friend.turn - self.plan.angle
        forward = np.array([math.cos(turn), math.sin(turn)])
        sideways = np.array([-forward[1], forward[0]])
        if way == 'lane':  # the next one in the queue, or the neighbour lane
            gap = (friend.length + length) / 2 + 0.8 + self.rng.exponential(2.5)
            step = forward * gap * self.rng.choice([-1, 1])
            return np.asarray(
                place + step + (sideways * self.rng.choice([-3.3, 3.3]) if self.rng.random() < 0.3 else 0.0)
            )
        if way in ('lot', 'row'):  # side by side
            return np.asarray(place + sideways * along * self.rng.choice([-2, -1, 1, 2], p=[0.1, 0.4, 0.4, 0.1]))
        if way == 'kerb':
            return np.asarray(place + forward * along * self.rng.choice([-1, 1]))
        return np.asarray(place + self.rng.normal(0.0, [along, across]))

    def is_verge(self, place: np.ndarray) -> bool:
        """Return whether a trunk may stand at a place (2,) of the world: no road, no roof, nothing there."""
        s, t = self.plan.to_grid(place)
        for road in self.plan.roads:
            if abs(split(road, s, t)[1]) < road.half() + 0.3:
                return False
        if any(area.holds(s, t, 0.5) for area in self.solid):
            return False
        return not len(self.discs) or bool((np.hypot(*(self.discs[:, :2] - place).T) > self.discs[:, 2] + 0.2).all())

    def _to_world(self, found: Spot, way: str, length: float) -> Pose:
        """Return a place of the grid in the world."""
        x, y = self.plan.to_world(np.array(found[:2]))
        return Pose(float(x), float(y), found[2] + self.plan.angle, way, length)

    def _in_view(self, pose: Pose, height: float) -> bool:
        """Return whether the middle of an object is in the image."""
        column, row, depth = self.camera.project(np.array([pose.x, pose.y, height / 2]))
        return bool(depth > 1.0 and 0 <= column < self.camera.side and 0 <= row < self.camera.side)

    def take(self, pose: Pose, length: float, width: float) -> bool:
        """Take the ground below an object, unless some of it is taken."""
        count = int(np.clip(round(length / width), 1, 6))
        offsets = (np.arange(count) - (count - 1) / 2) * (length - width) / max(count - 1, 1)
        centres = np.column_stack([pose.x + offsets * math.cos(pose.turn), pose.y + offsets * math.sin(pose.turn)])
        if len(self.discs):
            gaps = np.hypot(*(centres[:, None] - self.discs[None, :, :2]).transpose(2, 0, 1))
            if (gaps < width / 2 + self.discs[:, 2]).any():
                return False
        self.discs = np.concatenate([self.discs, np.column_stack([centres, np.full(count, width / 2)])])
        return True
