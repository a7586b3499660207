"""What stands on the ground: labelled objects and scenery, put together from the statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pointkd.datasets.synthetic_aerial import cycles, people, vehicles
from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.covers import cover, thin_out
from pointkd.datasets.synthetic_aerial.placing import RIDING, Placer, Pose
from pointkd.datasets.synthetic_aerial.plan import Plan
from pointkd.datasets.synthetic_aerial.scenery import Tree, build, clutter, plant
from pointkd.datasets.synthetic_aerial.shapes import Shape
from pointkd.datasets.synthetic_aerial.statistics import Wanted

MAKERS: dict[str, Callable[[np.random.Generator], Shape]] = {
    'pedestrian': people.pedestrian,
    'people': people.sitter,
    'bicycle': cycles.bicycle,
    'car': vehicles.car,
    'van': vehicles.van,
    'truck': vehicles.truck,
    'tricycle': cycles.tricycle,
    'awning-tricycle': cycles.awning_tricycle,
    'bus': vehicles.bus,
    'motor': cycles.motor,
}
# Large things first: they find no place later.
ORDER = ('bus', 'truck', 'van', 'car', 'awning-tricycle', 'tricycle', 'motor', 'bicycle')
# Boxes that people draw around small things are loose, cars' are not. Ours are exact, so the things are larger instead.
LOOSE = {'pedestrian': 1.38, 'people': 1.35, 'bicycle': 1.25, 'motor': 1.2, 'tricycle': 1.15, 'awning-tricycle': 1.05}
GAP_M = {'pedestrian': 0.05, 'people': 0.05, 'bicycle': 0.0, 'motor': 0.05}  # kept free around; others below
VEHICLE_GAP_M = 0.25
RIDDEN = {'motor': 0.95, 'bicycle': 0.9, 'tricycle': 0.5, 'awning-tricycle': 0.35}  # chance of a rider on the road
CROWD = (6, 22)  # cycles or people in a crowd that is labelled as an ignored region


@dataclass(frozen=True)
class Item:
    """An object of a class at its place in the world; `name` is empty for scenery."""

    name: str
    shape: Shape
    x: float
    y: float
    height: float
    crowd: bool = False  # part of what becomes an ignored region
    over: float = 0.0  # brings an item in front of others at the same place: a rider over the bicycle


@dataclass
class Scene:
    """Everything that stands in view of a camera."""

    camera: Camera
    plan: Plan
    items: list[Item] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    buildings: list[Item] = field(default_factory=list)


def random_scene(
    rng: np.random.Generator, camera: Camera, plan: Plan, wanted: Wanted, shares: Mapping[str, list[float]]
) -> Scene:
    """Return a scene that shows the wanted objects, as far as places are free.

    `shares` says of each class how many of its objects are occluded by level 0, 1, 2.
    """
    scene = Scene(camera, plan)
    placer = Placer(rng, camera, plan)
    riders = wanted.counts['people']
    for name in ORDER:
        for _ in range(wanted.counts[name]):
            pose = _put(scene, placer, name)
            if pose and riders and pose.way in RIDING and rng.random() < RIDDEN.get(name, 0.0):
                _mount(scene, rng, pose)
                riders -= 1
    for name, count in (('people', riders), ('pedestrian', wanted.counts['pedestrian'])):
        for _ in range(count):
            _put(scene, placer, name)
    if wanted.ignored:
        _crowd(scene, placer)
    _furnish(scene, placer)
    _hide(scene, placer, shares)
    return scene


def make(name: str, rng: np.random.Generator) -> Shape:
    """Return a random object of a class in its own frame."""
    return MAKERS[name](rng).scaled(LOOSE.get(name, 1.0))


def _put(scene: Scene, placer: Placer, name: str, crowd: bool = False) -> Pose | None:
    """Make an object and put it where there is room."""
    shape = make(name, placer.rng)
    (length, width), height = shape.footprint(), float(shape.quads[..., 2].max())
    gap = GAP_M.get(name, VEHICLE_GAP_M)
    pose = placer.place(name, length + gap, width + gap, height)
    if pose:
        scene.items.append(Item(name, shape.moved(pose.x, pose.y, pose.turn), pose.x, pose.y, height, crowd))
    return pose


def _mount(scene: Scene, rng: np.random.Generator, pose: Pose) -> None:
    """Put a rider onto a cycle."""
    shape = people.rider(rng).scaled(LOOSE['people']).moved(pose.x, pose.y, pose.turn)
    scene.items.append(Item('people', shape, pose.x, pose.y, 2.1, over=0.3))


def _crowd(scene: Scene, placer: Placer) -> None:
    """Add parked cycles or a group of people that nobody would label one by one."""
    rng = placer.rng
    name = ('bicycle', 'motor', 'pedestrian')[int(rng.choice(3, p=[0.4, 0.3, 0.3]))]
    first = _put(scene, placer, name, crowd=True)
    if first is None:
        return
    others = int(rng.integers(*CROWD))
    for _ in range(others):
        shape = make(name, rng)
        spread = 0.35 * np.sqrt(others)
        x, y = np.array([first.x, first.y]) + rng.normal(0.0, [1.6 * spread, spread])
        turn = first.turn + rng.normal(0.0, 0.25)
        if placer.take(Pose(float(x), float(y), float(turn), 'open', 0.6), 0.6, 0.45):
            scene.items.append(Item(name, shape.moved(float(x), float(y), float(turn)), float(x), float(y), 1.0, True))


def _hide(scene: Scene, placer: Placer, shares: Mapping[str, list[float]]) -> None:
    """Put trees in front of some objects."""
    for item in [item for item in scene.items if item.name and not item.crowd]:
        tree = cover(placer.rng, placer, item.name, (item.x, item.y, item.height), shares[item.name])
        if tree:
            scene.trees.append(tree)


def _furnish(scene: Scene, placer: Placer) -> None:
    """Add buildings, trees, poles and boxes."""
    rng = placer.rng
    for shape, x, y, height in build(rng, scene.plan, scene.camera):
        scene.buildings.append(Item('', shape, x, y, height))
    objects = [item for item in scene.items if item.name]
    middles = np.array([(item.x, item.y, item.height / 2) for item in objects]).reshape(-1, 3)
    names = [item.name for item in objects]
    scene.trees += thin_out(rng, scene.camera, plant(rng, scene.plan, placer), names, middles)
    for shape, x, y, height in clutter(rng, scene.plan, placer):
        scene.items.append(Item('', shape, x, y, height))
