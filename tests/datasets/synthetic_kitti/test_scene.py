import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.boxes import box_corners, points_in_box
from pointkd.datasets.synthetic_kitti.layout import random_scene
from pointkd.datasets.synthetic_kitti.meshes import box
from pointkd.datasets.synthetic_kitti.scene import Scene, rectangles_meet
from pointkd.datasets.synthetic_kitti.street import KERB_M, SENSOR_HEIGHT_M, Street, random_street
from pointkd.datasets.synthetic_kitti.styles import STYLES

STRAIGHT = Street(0.0, 0.0, -2.0, 5.0, 60.0, np.zeros(2), np.zeros((0, 4)))
bounded = settings(max_examples=40, deadline=None, derandomize=True)


def flat_box(x, y, length, width, yaw):
    return np.array([x, y, 0.0, length, width, 0.0, yaw])


@pytest.mark.parametrize(
    ('one', 'other', 'meet'),
    [
        ((0, 0, 4, 2, 0), (3, 0, 4, 2, 0), True),
        ((0, 0, 4, 2, 0), (4.1, 0, 4, 2, 0), False),
        ((0, 0, 4, 4, np.pi / 4), (3.5, 3.5, 2, 2, 0), False),  # their bounding boxes overlap, they do not
        ((0, 0, 10, 1, 0), (0, 0, 1, 10, 0), True),  # a cross: no corner of one is in the other
        ((0, 0, 10, 10, 0.3), (0, 0, 1, 1, 1.0), True),
    ],
)
def test_overlap_by_hand(one, other, meet):
    assert rectangles_meet(flat_box(*one), flat_box(*other)[None]).tolist() == [meet]
    assert rectangles_meet(flat_box(*other), flat_box(*one)[None]).tolist() == [meet]


side = st.floats(0.5, 6)
rectangle = st.tuples(st.floats(-5, 5), st.floats(-5, 5), side, side, st.floats(-3, 3)).map(lambda v: flat_box(*v))


@bounded
@given(rectangle, rectangle)
def test_overlap_equals_sampling(one, other):
    steps = np.linspace(-0.5, 0.5, 41)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)], axis=1) * one[3:5]
    cos, sin = np.cos(one[6]), np.sin(one[6])
    points = np.stack(
        [grid[:, 0] * cos - grid[:, 1] * sin + one[0], grid[:, 0] * sin + grid[:, 1] * cos + one[1]], axis=1
    )
    points = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    if points_in_box(points, other).any():
        assert rectangles_meet(one, other[None])[0]
    elif rectangles_meet(one, other[None])[0]:
        assert points_in_box(points, other, margin=0.3).any()  # they only touch, between the samples


def test_a_straight_street_by_hand():
    x, y, direction = STRAIGHT.place(10.0, 2.0)
    assert (float(x), float(y), float(direction)) == (
        10.0,
        4.0,
        0.0,
    )  # two metres left of the middle, the car is right of it
    assert float(STRAIGHT.height(10.0, 4.0, 2.0)) == -SENSOR_HEIGHT_M
    assert float(STRAIGHT.height(10.0, 9.0, 7.0)) == -SENSOR_HEIGHT_M + KERB_M


def test_a_taken_place_is_not_given_away():
    scene = Scene(STRAIGHT)
    solid = box([4, 2, 1], [0, 0, 0.5], 'wood').centred()
    for along in (10.0, 12.0, 15.0):
        scene.add_object('Car', solid, along, 0.0, 0.0, gap=0.3)
    assert [item.box[0] for item in scene.objects] == [10.0, 15.0]
    scene.add_scenery(solid, 16.0, 0.0)
    assert scene.scenery == []
    scene.add_object('Car', solid, 0.0, -2.0, 0.0, gap=0.3)  # where the LiDAR's own car is
    assert len(scene.objects) == 2


@pytest.mark.parametrize('seed', range(12))
def test_random_scenes_hold_together(seed):
    scene = random_scene(np.random.default_rng(seed), 50.0)
    for number, box_a in enumerate(scene.taken):
        assert not rectangles_meet(box_a, scene.taken[:number]).any() if number else True
    for item in scene.objects:
        assert points_in_box(item.mesh.vertices, item.box).all()  # the label is around the mesh
        assert item.mesh.vertices[:, 2].min() == pytest.approx(item.box[2] + 0.02)
        corners = box_corners(item.box[None])[0]
        assert np.abs(corners[:4, 2].mean() + SENSOR_HEIGHT_M) < 3.0


def test_objects_are_of_all_classes_and_some_scenes_have_none():
    names = [[item.name for item in random_scene(np.random.default_rng(seed), 70.0).objects] for seed in range(25)]
    assert {name for scene in names for name in scene} == {'Car', 'Van', 'Pedestrian', 'Cyclist'}
    assert any(not scene for scene in names)
    assert sum(style.weight for style in STYLES.values()) == pytest.approx(1.0)


def test_ground_lies_where_its_height_says():
    street = random_street(np.random.default_rng(5), 5.0, 60.0)
    ground = street.ground('grass')
    assert ground.triangles.max() == len(ground.vertices) - 1
    assert np.abs(ground.vertices[:, 2] + SENSOR_HEIGHT_M).max() < 4.0
    x, y, _ = street.place(20.0, 0.0)
    near = np.hypot(ground.vertices[:, 0] - x, ground.vertices[:, 1] - y) < 1.5
    assert ground.vertices[near, 2] == pytest.approx(float(street.height(x, y, 0.0)), abs=0.15)
