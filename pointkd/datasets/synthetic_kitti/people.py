"""Pedestrians and cyclists, built from tubes and ellipsoids in a walking or pedalling pose."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_kitti.materials import pick
from pointkd.datasets.synthetic_kitti.meshes import Mesh, box, ellipsoid, join, rim, tube


def pedestrian(rng: np.random.Generator) -> Mesh:
    """Return a person who stands or walks towards x, the middle of the base at the origin."""
    child = rng.random() < 0.08
    height = rng.uniform(1.15, 1.45) if child else float(np.clip(rng.normal(1.74, 0.09), 1.52, 1.96))
    girth = rng.uniform(0.85, 1.25)
    stride = 0.0 if rng.random() < 0.25 else rng.uniform(0.10, 0.24) * height
    coat, trousers = pick(rng, 'cloth'), pick(rng, 'cloth')
    parts = [*_legs(height, stride, trousers), *_trunk(height, girth, coat), *_arms(rng, height, stride, girth, coat)]
    parts += _luggage(rng, height)
    return join(parts).centred()


def _legs(height: float, stride: float, cloth: str) -> list[Mesh]:
    """Return two legs with shoes, one ahead and one behind by the stride."""
    hip = 0.50 * height
    legs = []
    for side in (-1, 1):
        foot = [side * stride, 0.09 * side, 0.04]
        legs.append(tube(foot, [0.0, 0.09 * side, hip], (0.055, 0.085), cloth, corners=6))
        legs.append(box([0.26, 0.10, 0.09], [side * stride + 0.05, 0.09 * side, 0.045], 'rubber'))
    return legs


def _trunk(height: float, girth: float, cloth: str) -> list[Mesh]:
    """Return trunk, neck and head."""
    chest = ellipsoid([0.0, 0.0, 0.665 * height], [0.13 * girth, 0.20 * girth, 0.20 * height], cloth, rings=6)
    neck = tube([0.0, 0.0, 0.80 * height], [0.0, 0.0, 0.90 * height], (0.06, 0.06), 'skin', corners=6)
    head = ellipsoid([0.01, 0.0, 0.935 * height], [0.10, 0.08, 0.065 * height], 'skin', corners=6)
    return [chest, neck, head]


def _arms(rng: np.random.Generator, height: float, stride: float, girth: float, cloth: str) -> list[Mesh]:
    """Return two arms that swing against the legs."""
    arms = []
    for side in (-1, 1):
        shoulder = np.array([0.0, side * 0.20 * girth, 0.80 * height])
        swing = -side * stride * rng.uniform(0.6, 1.0) + rng.uniform(-0.04, 0.08)
        hand = _shift(shoulder, swing, side * rng.uniform(0.02, 0.14), -0.36 * height)
        arms.append(tube(shoulder, hand, (0.055, 0.04), cloth, corners=6))
    return arms


def _luggage(rng: np.random.Generator, height: float) -> list[Mesh]:
    """Return a backpack or a bag now and then."""
    chance = rng.random()
    if chance < 0.15:
        return [box([0.18, 0.30, 0.42], [-0.20, 0.0, 0.68 * height], pick(rng, 'cloth'))]
    if chance < 0.25:
        return [box([0.34, 0.14, 0.30], [0.0, 0.36, 0.32 * height], pick(rng, 'cloth'))]
    return []


def cyclist(rng: np.random.Generator) -> Mesh:
    """Return a person on a bicycle that rides towards x, the middle of the base at the origin."""
    radius, base = rng.uniform(0.31, 0.36), rng.uniform(0.98, 1.12)
    height = float(np.clip(rng.normal(1.74, 0.09), 1.50, 1.92))
    saddle = np.array([-0.18, 0.0, 0.50 * height + 0.08])
    return join([*_bicycle(radius, base, saddle), *_rider(rng, saddle, height)]).centred()


def _bicycle(radius: float, base: float, saddle: np.ndarray) -> list[Mesh]:
    """Return two wheels, the frame and the handlebar."""
    rear, front = np.array([-base / 2, 0.0, radius]), np.array([base / 2, 0.0, radius])
    crank, head = np.array([-0.05, 0.0, radius - 0.05]), np.array([base / 2 - 0.18, 0.0, radius + 0.55])
    bars = [
        (rear, saddle),
        (crank, saddle),
        (crank, head),
        (_shift(saddle, z=-0.12), head),
        (rear, crank),
        (front, head),
    ]
    frame = [tube(start, end, (0.022, 0.022), 'metal', corners=5) for start, end in bars]
    handlebar = tube(_shift(head, 0.02, -0.28, 0.1), _shift(head, 0.02, 0.28, 0.1), (0.018, 0.018), 'metal', corners=5)
    wheels = []
    for hub in (rear, front):
        wheels.append(rim(hub, (radius, radius - 0.06), 'rubber'))
        wheels.append(rim(hub, (0.10, 0.0), 'metal', corners=8))
        wheels.append(tube(_shift(hub, y=-0.03), _shift(hub, y=0.03), (0.05, 0.05), 'metal', corners=6))
    return [*wheels, *frame, handlebar, box([0.26, 0.16, 0.08], saddle, 'rubber')]


def _rider(rng: np.random.Generator, saddle: np.ndarray, height: float) -> list[Mesh]:
    """Return the rider: bent legs, a trunk that leans forward, arms at the handlebar, head."""
    coat, trousers = pick(rng, 'cloth'), pick(rng, 'cloth')
    lean = rng.uniform(0.12, 0.45)
    hip = _shift(saddle, 0.02, 0.0, 0.08)
    shoulder = hip + 0.31 * height * np.array([np.sin(lean), 0.0, np.cos(lean)])
    parts = [
        tube(hip, shoulder, (0.14, 0.17), coat, corners=8),
        ellipsoid(_shift(shoulder, 0.06, 0.0, 0.19), [0.11, 0.085, 0.12], 'skin', corners=6),
        tube(shoulder, _shift(shoulder, 0.04, 0.0, 0.12), (0.06, 0.06), 'skin', corners=6),
    ]
    turn = rng.uniform(0, 2 * np.pi)
    for side in (-1, 1):
        phase = turn + (np.pi if side > 0 else 0.0)
        foot = np.array([-0.05 + 0.17 * np.cos(phase), 0.11 * side, 0.30 + 0.17 * np.sin(phase)])
        knee = _shift((hip + foot) / 2, 0.20, 0.10 * side, 0.06)
        hand = np.array([0.36, 0.26 * side, 1.0])
        parts += [
            tube(_shift(hip, y=0.08 * side), knee, (0.09, 0.065), trousers, corners=6),
            tube(knee, foot, (0.06, 0.045), trousers, corners=6),
            tube(_shift(shoulder, y=0.19 * side, z=-0.03), hand, (0.055, 0.04), coat, corners=6),
        ]
    return parts


def _shift(point: np.ndarray, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """Return a point (3,) moved by metres."""
    return point + np.array([x, y, z])
