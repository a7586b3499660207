"""Puts the things of a scene along a street, so that nothing stands in anything else."""

from __future__ import annotations

import numpy as np

from pointkd.datasets.synthetic_kitti import people, surroundings, vehicles
from pointkd.datasets.synthetic_kitti.meshes import Mesh
from pointkd.datasets.synthetic_kitti.scene import Scene
from pointkd.datasets.synthetic_kitti.street import random_street
from pointkd.datasets.synthetic_kitti.styles import STYLES, Style

EMPTY_SHARE = 0.06  # frames without any object


def random_scene(rng: np.random.Generator, range_m: float) -> Scene:
    """Return a random scene whose objects stand up to a little beyond a distance."""
    style = list(STYLES.values())[int(rng.choice(len(STYLES), p=[style.weight for style in STYLES.values()]))]
    parking = style.parked > 0.1
    half_width = style.lane * rng.uniform(0.95, 1.15) + (2.3 if parking else 0.4)
    street = random_street(rng, half_width, length=1.15 * range_m + 12.0)
    scene = Scene(street, scenery=[street.ground(style.verge)])
    reach = 1.12 * range_m
    if rng.random() >= EMPTY_SHARE:
        crossing_at = float(rng.uniform(12.0, reach)) if rng.random() < style.crossing else None
        _park(scene, rng, style, reach, crossing_at)
        _drive(scene, rng, style, reach, crossing_at)
        _walk(scene, rng, style, reach)
    _furnish(scene, rng, style, reach)
    return scene


def _put(
    scene: Scene, rng: np.random.Generator, name: str, along: float, across: float, *, turn: float, gap: float
) -> None:
    """Add an object of a class where its place is free; turn is relative to the street's direction."""
    makers = {'Pedestrian': people.pedestrian, 'Cyclist': people.cyclist, 'Van': vehicles.van, 'Car': vehicles.car}
    scene.add_object(name, makers[name](rng), along, across, turn, gap)


def _vehicle(rng: np.random.Generator) -> str:
    """Return the class of a vehicle."""
    return 'Van' if rng.random() < 0.09 else 'Car'


def _park(scene: Scene, rng: np.random.Generator, style: Style, reach: float, crossing_at: float | None) -> None:
    """Fill parking places on both sides of the street."""
    for side in (-1, 1):
        across_street = rng.random() < style.parking_lots
        step = 2.7 if across_street else 6.0
        middle = scene.street.half_width + (2.2 if across_street else -1.15)
        share = style.parked * rng.uniform(0.0, 2.0)
        for along in np.arange(rng.uniform(3.0, 9.0), reach, step):
            if rng.random() >= share or (crossing_at is not None and abs(along - crossing_at) < 8.0):
                continue
            turn = (side if across_street else 0.0) * np.pi / 2 + rng.choice([0.0, np.pi]) + rng.normal(0.0, 0.03)
            place = float(along + rng.uniform(-0.3, 0.3)), side * middle + rng.normal(0.0, 0.10)
            _put(scene, rng, _vehicle(rng), *place, turn=float(turn), gap=0.2)


def _drive(scene: Scene, rng: np.random.Generator, style: Style, reach: float, crossing_at: float | None) -> None:
    """Put moving cars on both lanes and on the side street."""
    for _ in range(rng.poisson(style.traffic * np.sqrt(reach / 70.0))):
        oncoming = rng.random() < 0.55
        lane = (0.5 if oncoming else -0.5) * style.lane + rng.normal(0.0, 0.15)
        turn = (np.pi if oncoming else 0.0) + rng.normal(0.0, 0.03)
        _put(scene, rng, _vehicle(rng), float(rng.uniform(7.0, reach)), float(lane), turn=float(turn), gap=1.0)
    if crossing_at is None:
        return
    for _ in range(1 + rng.poisson(1.5)):
        direction = rng.choice([-1, 1])
        across = direction * rng.uniform(-1.0, 22.0)
        turn = rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0.0, 0.15)
        _put(scene, rng, _vehicle(rng), crossing_at + rng.choice([-1.8, 1.8]), float(across), turn=float(turn), gap=0.8)


def _walk(scene: Scene, rng: np.random.Generator, style: Style, reach: float) -> None:
    """Put groups of pedestrians and single cyclists on pavements, kerbs and, less often, on the street."""
    half = scene.street.half_width
    for _ in range(rng.poisson(style.pedestrians / 1.6)):
        along, side = _ahead(rng, reach), rng.choice([-1, 1])
        crossing = rng.random() < 0.2
        across = rng.uniform(-half, half) if crossing else side * (half + rng.uniform(0.4, 4.0))
        heading = (np.pi / 2 if crossing else 0.0) + rng.choice([0.0, np.pi]) + rng.normal(0.0, 0.35)
        for _ in range(1 + int(rng.choice(4, p=[0.6, 0.25, 0.1, 0.05]))):
            offset = rng.normal(0.0, 0.7, size=2)
            turn = heading + rng.normal(0.0, 0.25)
            _put(scene, rng, 'Pedestrian', along + offset[0], across + offset[1], turn=float(turn), gap=0.05)
    for _ in range(rng.poisson(style.cyclists)):
        side = rng.choice([-1, 1])
        across = side * (half + rng.uniform(-1.6, 2.0))
        turn = rng.choice([0.0, np.pi], p=[0.65, 0.35]) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi)
        _put(
            scene, rng, 'Cyclist', _ahead(rng, reach), float(across), turn=float(turn + rng.normal(0.0, 0.12)), gap=0.25
        )


def _ahead(rng: np.random.Generator, reach: float) -> float:
    """Return how far ahead a person is; labellers of real scenes find few beyond 45 m."""
    return float(5.0 + (min(reach, 55.0) - 5.0) * rng.beta(1.2, 2.0))


def _furnish(scene: Scene, rng: np.random.Generator, style: Style, reach: float) -> None:
    """Put houses, walls, hedges, trees, poles and clutter beside the street."""
    half = scene.street.half_width
    for side in (-1, 1):
        along, turn = rng.uniform(-4.0, 6.0), 0.0 if side > 0 else np.pi  # turned to face the street
        while along < reach + 6.0:
            length, back = float(rng.uniform(6.0, 18.0)), rng.uniform(3.2, 9.0)
            front = _front(rng, style, length)
            if front is not None:
                across = side * (half + back + front.size()[1] / 2)
                scene.add_scenery(front, along + length / 2, across, turn)
            along += length + rng.choice([0.3, 4.0], p=[0.6, 0.4])
    for _ in range(rng.poisson(style.trees * reach / 70.0)):
        plant = surroundings.tree if rng.random() < 0.6 else surroundings.bush
        across = rng.choice([-1, 1]) * (half + rng.uniform(1.0, 16.0))
        scene.add_scenery(plant(rng), rng.uniform(4.0, reach), across)
    for _ in range(rng.poisson(style.furniture * reach / 70.0)):
        thing = surroundings.pole if rng.random() < 0.5 else surroundings.clutter
        across = rng.choice([-1, 1]) * (half + rng.uniform(0.3, 3.0))
        scene.add_scenery(thing(rng), rng.uniform(4.0, reach), across)


def _front(rng: np.random.Generator, style: Style, length: float) -> Mesh | None:
    """Return what bounds a stretch of the street: a house, a wall, a hedge or nothing."""
    if rng.random() < style.houses:
        return surroundings.building(rng, length)
    if rng.random() < 0.6:
        return surroundings.wall(rng, length) if rng.random() < 0.5 else surroundings.hedge(rng, length)
    return None
