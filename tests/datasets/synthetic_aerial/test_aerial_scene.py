import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.camera import aim
from pointkd.datasets.synthetic_aerial.classes import CLASSES, VEHICLES
from pointkd.datasets.synthetic_aerial.covers import thin_out
from pointkd.datasets.synthetic_aerial.labels import as_labels, label
from pointkd.datasets.synthetic_aerial.measure import COUNT_LEVELS, LEVELS, describe
from pointkd.datasets.synthetic_aerial.plan import Area, random_plan
from pointkd.datasets.synthetic_aerial.render import render
from pointkd.datasets.synthetic_aerial.scene import random_scene
from pointkd.datasets.synthetic_aerial.scenery import Tree
from pointkd.datasets.synthetic_aerial.statistics import Wanted, load, wanted

SIDE = 320


def scene(seed, target=None):
    rng = np.random.default_rng(seed)
    target = target or wanted(load(), rng)
    camera = aim(SIDE, target.scale, target.upright, rng)
    return target, random_scene(rng, camera, random_plan(rng, camera, target), target, load().occlusion)


def only(name, count):
    return Wanted({**dict.fromkeys(CLASSES, 0), name: count}, scale=0.08, upright=2.0, ignored=False)


def test_objects_wanted_are_placed_in_view():
    asked, placed = np.zeros(10), np.zeros(10)
    for seed in range(40):
        target, made = scene(seed)
        items = [item for item in made.items if item.name and not item.crowd]
        asked += list(target.counts.values())
        placed += [sum(item.name == name for item in items) for name in CLASSES]
        middles = np.array([(item.x, item.y, item.height / 2) for item in items if not item.over])
        seen = made.camera.project(middles.reshape(-1, 3))
        assert ((seen[:, :2] > -1) & (seen[:, :2] < SIDE + 1)).all()
    assert (placed <= asked).all()
    assert placed.sum() > 0.95 * asked.sum()


@pytest.mark.parametrize('name', CLASSES)
def test_each_class_alone(name):
    _, made = scene(1, only(name, 4))
    assert [item.name for item in made.items if item.name] == [name] * 4


def test_objects_stand_apart():
    """Nothing stands in anything else but a rider on the cycle."""
    for seed in range(10):
        _, made = scene(seed)
        places = np.array([(item.x, item.y) for item in made.items if not item.over]).reshape(-1, 2)
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) + 10 * np.eye(len(places))
        assert (gaps > 0.25).all()


def test_vehicles_on_the_road_follow_it():
    turns = []
    for seed in range(12):
        _, made = scene(seed, only('bus', 3))
        for item in made.items:
            if item.name:
                front = item.shape.quads.reshape(-1, 3)[:, :2] - [item.x, item.y]
                axis = np.linalg.svd(front)[2][0]
                turns.append((np.arctan2(axis[1], axis[0]) - made.plan.angle) % (np.pi / 2))
    off = np.minimum(turns, np.pi / 2 - np.array(turns))
    assert np.median(off) < 0.1


def test_a_rider_sits_on_a_cycle():
    target = only('motor', 6)
    target.counts['people'] = 6
    riders = 0
    for seed in range(6):
        _, made = scene(seed, target)
        motors = np.array([(item.x, item.y) for item in made.items if item.name == 'motor'])
        for item in made.items:
            if item.over:
                riders += 1
                assert np.linalg.norm(motors - [item.x, item.y], axis=1).min() == 0
    assert riders > 3


def test_a_crowd_is_one_ignored_region():
    target = Wanted({**dict.fromkeys(CLASSES, 0), 'car': 2}, scale=0.08, upright=2.0, ignored=True)
    for seed in range(3):
        _, made = scene(seed, target)
        assert sum(item.crowd for item in made.items) > 3
        image, drawn, seen = render(np.random.default_rng(seed), made)
        rows = label(made.items, drawn, seen)
        assert image.shape == (SIDE, SIDE, 3)
        assert {row.category for row in rows} <= {0, 4}
        assert any(row.category == 0 for row in rows)


def test_trees_that_hide_objects_go():
    camera = aim(SIDE, 0.1, 2.0, np.random.default_rng(0))
    before = Tree(0.0, -3.0, 2.0, 5.0, (60.0, 90.0, 50.0))
    aside = Tree(15.0, 0.0, 2.0, 5.0, (60.0, 90.0, 50.0))
    hit = camera.ground(camera.project(np.array([0.0, -3.0, 3.0]))[:2])
    places = np.array([[*hit, 0.0]])
    kept = [
        thin_out(np.random.default_rng(seed), camera, [before, aside], ['pedestrian'], places) for seed in range(60)
    ]
    assert all(aside in trees for trees in kept)
    assert sum(before in trees for trees in kept) < 20
    assert thin_out(np.random.default_rng(0), camera, [before], [], np.zeros((0, 3))) == [before]
    assert thin_out(np.random.default_rng(0), camera, [], ['car'], places) == []


def test_trees_do_not_stand_on_roads():
    count = 0
    for seed in range(12):
        _, made = scene(seed)
        for tree in made.trees:
            place = made.plan.to_grid(np.array([tree.x, tree.y]))
            for road in made.plan.roads:
                assert abs(place[1 - road.axis] - road.centre) > road.half()
            count += 1
    assert count > 20


def test_areas_do_not_lie_on_roads():
    for seed in range(8):
        _, made = scene(seed)
        for area in made.plan.areas:
            middle = (sum(area.s) / 2, sum(area.t) / 2)
            for road in made.plan.roads:
                assert abs(middle[1 - road.axis] - road.centre) > road.reach()
    assert Area('lot', (0, 4), (0, 4)).holds(1, 1, 0.5)
    assert not Area('lot', (0, 4), (0, 4)).holds(0.2, 1, 0.5)


@pytest.mark.long
def test_a_set_is_like_the_annotations_it_was_fitted_to():
    """Bands are wide: 70 images hold few crowds, and of the rare classes a handful of objects."""
    images = []
    for seed in range(1000, 1070):
        _, made = scene(seed)
        _, drawn, seen = render(np.random.default_rng(seed), made)
        images.append(as_labels(label(made.items, drawn, seen), SIDE))
    found, real = describe(images), load().measured
    middle = LEVELS.index(0.5)
    for name in CLASSES:
        assert found['class_share'][name] == pytest.approx(real['class_share'][name], abs=0.15), name
        assert found['present'][name] == pytest.approx(real['present'][name], abs=0.15), name
    for name in ('pedestrian', 'car'):  # frequent enough for quantiles
        assert 0.6 < found['size'][name][middle] / real['size'][name][middle] < 1.7, name
        assert found['aspect'][name][middle] == pytest.approx(real['aspect'][name][middle], rel=0.35), name
        assert found['occlusion'][name] == pytest.approx(real['occlusion'][name], abs=0.25), name
        assert found['truncation'][name] == pytest.approx(real['truncation'][name], abs=0.1), name
    for name in ('pedestrian', 'people', 'van', 'truck', 'motor'):  # sizes in cars, within each image
        assert found['relative_size'][name] == pytest.approx(real['relative_size'][name], rel=0.3), name
    assert found['scale'][2:-2] == pytest.approx(real['scale'][2:-2], rel=0.4)
    assert found['upright'][2:-2] == pytest.approx(real['upright'][2:-2], rel=0.35)
    levels = [COUNT_LEVELS.index(level) for level in (0.25, 0.5, 0.75, 0.9)]
    assert [found['total'][k] for k in levels] == pytest.approx([real['total'][k] for k in levels], rel=0.5, abs=2)
    for group in ('persons', 'vehicles'):
        assert found['spacing'][group][middle] == pytest.approx(real['spacing'][group][middle], rel=0.4), group
    assert found['ignored'] < 0.4
    assert sum(found['class_share'][name] for name in VEHICLES) > 0.35
