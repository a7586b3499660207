"""Overlaps against values known by hand, against plain Python and under motions of the scene."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.kitti_reference import Box, overlap
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.evaluation.kitti import overlaps

IMAGE = (0.0, 0.0, 10.0, 10.0)


def overlaps_of(first: list[float], second: list[float], image=IMAGE, other_image=IMAGE) -> np.ndarray:
    """Image, ground and 3D overlap of a detection and a label, boxes as h, w, l, x, y, z, rotation_y."""
    one, frame = np.zeros(1, dtype=np.int64), np.array([0, 1])
    _, detections, values = overlaps.find_pairs(
        one, np.array([other_image]), np.array([second]), frame,
        one, np.array([False]), np.array([image]), np.array([first]), frame,
        np.full((3, 3), -1.0),
    )  # fmt: skip
    assert detections.tolist() == [0]
    return values[0]


def box(h=1.0, w=2.0, l=4.0, x=0.0, y=0.0, z=0.0, ry=0.0) -> list[float]:  # noqa: E741
    return [h, w, l, x, y, z, ry]


@pytest.mark.parametrize(
    ('first', 'second', 'ground', 'space'),
    [
        (box(), box(), 1.0, 1.0),
        (box(), box(ry=math.pi), 1.0, 1.0),
        (box(), box(ry=math.pi / 2), 4 / 12, 4 / 12),  # a cross of 2 x 4: 4 shared of 8 + 8
        (box(), box(x=2), 4 / 12, 4 / 12),
        (box(), box(x=4), 0.0, 0.0),  # they touch
        (box(), box(x=1000), 0.0, 0.0),
        (box(), box(y=0.5), 1.0, 0.5 / 1.5),
        (box(), box(y=1), 1.0, 0.0),
        (box(), box(h=2), 1.0, 0.5),
        (box(w=1, l=1), box(w=3, l=3, ry=0.7), 1 / 9, 1 / 9),  # one inside the other
        (box(w=2, l=2), box(w=2, l=2, ry=math.pi / 4), 1 / math.sqrt(2), 1 / math.sqrt(2)),  # regular octagon
        (box(w=0), box(), 0.0, 0.0),
        (box(l=0, w=0), box(l=0, w=0), 0.0, 0.0),
        (box(w=-2, l=-4), box(), 1.0, 1.0),  # both negative: turned by half a circle
        (box(h=0), box(), 1.0, 0.0),
    ],
)
def test_known_values(first: list[float], second: list[float], ground: float, space: float) -> None:
    assert overlaps_of(first, second)[1:] == pytest.approx([ground, space], abs=1e-12)
    assert overlaps_of(second, first)[1:] == pytest.approx([ground, space], abs=1e-12)


@pytest.mark.parametrize(
    ('first', 'second', 'image'),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((0, 0, 10, 10), (4, 4, 2, 2), 0.0),  # corners the wrong way round
    ],
)
def test_image_boxes(first: tuple, second: tuple, image: float) -> None:
    values = overlaps_of(box(), box(), np.array(first, float), np.array(second, float))
    assert values[0] == pytest.approx(image, abs=1e-15)


SIZES = st.floats(0.1, 6)
BOXES = st.tuples(SIZES, SIZES, SIZES, st.floats(-3, 3), st.floats(-1, 1), st.floats(-3, 3), st.floats(-7, 7)).map(list)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(BOXES, BOXES)
def test_equal_to_plain_python(first: list[float], second: list[float]) -> None:
    a, b = (Box('car', 0, 0, 0, IMAGE, *values) for values in (first, second))
    expected = [overlap('bev', a, b), overlap('3d', a, b)]
    assert overlaps_of(first, second)[1:] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(BOXES, BOXES, st.floats(-100, 100), st.floats(-100, 100), st.floats(-4, 4))
def test_moving_and_turning_the_scene_changes_nothing(
    first: list[float], second: list[float], dx: float, dz: float, turn: float
) -> None:
    def moved(values: list[float]) -> list[float]:
        h, w, l, x, y, z, ry = values  # noqa: E741
        cos, sin = math.cos(turn), math.sin(turn)
        return [h, w, l, x * cos + z * sin + dx, y + 0.3, -x * sin + z * cos + dz, ry + turn]

    assert overlaps_of(moved(first), moved(second))[1:] == pytest.approx(overlaps_of(first, second)[1:], abs=1e-11)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(BOXES, st.floats(-1e-6, 1e-6), st.floats(-1e-7, 1e-7))
def test_nearly_equal_boxes_overlap_nearly_wholly(values: list[float], shift: float, turn: float) -> None:
    """Where the official program's rounded grid can lose the whole intersection."""
    near = [*values[:3], values[3] + shift, values[4], values[5] - shift, values[6] + turn]
    assert overlaps_of(values, near)[1] > 0.9999


def test_share_of_dont_care_areas() -> None:
    nowhere = [-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, -10.0]
    shares = overlaps.dont_care_shares(
        np.array([True, False, True]),
        np.array([[0, 0, 5, 10], [0, 0, 100, 100], [0, 0, 9, 10.0]]),
        np.array([nowhere, box(), nowhere]),
        np.array([0, 3]),
        np.array([[0, 0, 10, 10], [3, 3, 3, 3], [50, 50, 60, 60.0]]),
        np.array([box(), box(), nowhere]),
        np.array([0, 3]),
    )
    # The first lies in the larger area by nine tenths; a box without area in none; the last has no place either.
    np.testing.assert_allclose(shares, [[0.9, 0, 0], [0, 0, 0], [0, 1, 0]])


def test_pairs_stay_in_their_frame_and_in_the_order_of_the_file() -> None:
    """Label 0 and detections 0, 1 in the first frame, the rest in the second; more pairs than the first room holds."""
    many = 3000
    boxes = np.tile(box(), (many, 1))
    images = np.tile(np.array(IMAGE), (many, 1))
    zeros = np.zeros(many, dtype=np.int64)
    starts, detections, _ = overlaps.find_pairs(
        np.array([0, 0, -1]), images[:3], boxes[:3], np.array([0, 1, 3]),
        zeros, zeros == 0, images, boxes, np.array([0, 2, many]),
        np.full((3, 3), 0.5),
    )  # fmt: skip
    assert starts.tolist() == [0, 2, many, many]
    assert detections.tolist() == list(range(many))
