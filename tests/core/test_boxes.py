import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.boxes import (
    box_corners,
    camera_to_lidar_boxes,
    lidar_to_camera_boxes,
    points_in_box,
    wrap_angle,
)
from pointkd.core.errors import ShapeError

AXES = np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -0.08], [1.0, 0.0, 0.0, -0.27], [0.0, 0.0, 0.0, 1.0]])
bounded = settings(max_examples=40, deadline=None, derandomize=True)
coordinate = st.floats(-50, 50, width=32)
size = st.floats(0.125, 20, width=32)
angle = st.floats(-7, 7, width=32)
boxes = st.tuples(coordinate, coordinate, coordinate, size, size, size, angle).map(np.array)


def test_corners_of_a_turned_box_by_hand():
    corners = box_corners(np.array([[10.0, 0.0, -1.0, 4.0, 2.0, 1.5, np.pi / 2]]))[0]
    front_left = [9.0, 2.0, -1.0]  # the nose looks to +y, so its left side is at smaller x
    assert corners[0] == pytest.approx(front_left)
    assert corners[4] == pytest.approx([9.0, 2.0, 0.5])
    assert corners[2] == pytest.approx([11.0, -2.0, -1.0])


def test_no_boxes():
    assert box_corners(np.zeros((0, 7))).shape == (0, 8, 3)
    location, dimensions, rotation = lidar_to_camera_boxes(np.zeros((0, 7)), AXES)
    assert camera_to_lidar_boxes(location, dimensions, rotation, AXES).shape == (0, 7)


@pytest.mark.parametrize('shape', [(7,), (3, 6), (2, 7, 1)])
def test_another_shape_raises(shape):
    with pytest.raises(ShapeError):
        box_corners(np.zeros(shape))
    with pytest.raises(ShapeError):
        lidar_to_camera_boxes(np.zeros(shape), AXES)


@bounded
@given(boxes)
def test_corners_lie_on_the_box_and_scaled_ones_outside(box):
    corners = box_corners(box[None])[0]
    assert points_in_box(corners, box, margin=1e-6 * (1 + np.abs(box).max())).all()
    middle = corners.mean(axis=0)
    assert points_in_box(middle + 0.99 * (corners - middle), box).all()
    assert not points_in_box(middle + 1.01 * (corners - middle), box).any()


@bounded
@given(boxes, st.floats(-3, 3, width=32))
def test_turning_the_scene_changes_nothing(box, turn):
    rng = np.random.default_rng(0)
    points = box_corners(box[None])[0].mean(axis=0) + rng.normal(0, box[3:6].max(), size=(50, 3))
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    turned = np.array([*(matrix @ box[:3]), *box[3:6], box[6] + turn])
    near_face = points_in_box(points, box, 1e-4) != points_in_box(points, box, -1e-4)
    assert (points_in_box(points, box) == points_in_box(points @ matrix.T, turned))[~near_face].all()


@bounded
@given(st.lists(boxes, max_size=4))
def test_camera_and_back(rows):
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    back = camera_to_lidar_boxes(*lidar_to_camera_boxes(table, AXES), AXES)
    assert back[:, :6] == pytest.approx(table[:, :6], abs=1e-9)
    assert np.abs(wrap_angle(back[:, 6] - table[:, 6])) == pytest.approx(np.zeros(len(table)), abs=1e-9)


def test_a_car_ahead_that_drives_away_has_rotation_minus_half_pi():
    location, dimensions, rotation = lidar_to_camera_boxes(np.array([[10.0, 2.0, -1.7, 4.0, 1.6, 1.5, 0.0]]), AXES)
    assert location[0] == pytest.approx([-2.0, 1.62, 9.73])
    assert dimensions[0] == pytest.approx([1.5, 1.6, 4.0])
    assert rotation[0] == pytest.approx(-np.pi / 2)


@bounded
@given(st.floats(-100, 100))
def test_wrapped_angles_are_the_same_direction(value):
    wrapped = wrap_angle(np.array([value]))
    assert -np.pi <= wrapped[0] < np.pi
    assert np.exp(1j * wrapped[0]) == pytest.approx(np.exp(1j * value), abs=1e-9)
