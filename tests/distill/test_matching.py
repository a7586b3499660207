"""Bringing two sides to the same elements."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Grid, Logits, Map, Points, Voxels
from pointkd.distill.matching import lookup, match

FINE = Grid((0.0, -4.0, -3.0), (0.5, 0.5, 4.0))
COARSE = Grid((0.0, -4.0, -3.0), (1.0, 1.0, 4.0))


def voxels(coords, grid=FINE, width=3, batch_size=2):
    coords = torch.as_tensor(coords, dtype=torch.int32).reshape(-1, 4)
    values = (coords.float() @ torch.tensor([[1000.0], [100.0], [10.0], [1.0]])).repeat(1, width)
    return Voxels(values, coords, batch_size, grid)


def test_equal_voxels_pass_through():
    one = voxels([[0, 0, 1, 2], [1, 0, 3, 4]])
    student, teacher = match(one, voxels([[0, 0, 1, 2], [1, 0, 3, 4]]))
    assert student is one
    assert torch.equal(student.values, teacher.values)


def test_voxels_in_another_order_and_with_missing_ones_match_by_coordinate():
    student, teacher = match(
        voxels([[0, 0, 1, 2], [0, 0, 5, 5], [1, 0, 3, 4]]), voxels([[1, 0, 3, 4], [0, 0, 9, 9], [0, 0, 1, 2]])
    )
    assert student.coords.tolist() == [[0, 0, 1, 2], [1, 0, 3, 4]]
    assert torch.equal(student.values, teacher.values)


def test_voxels_of_unequal_grids_meet_in_the_teacher_cell_that_holds_the_centre():
    student, teacher = match(voxels([[0, 0, 2, 3], [0, 0, 3, 3], [1, 0, 0, 0]]), voxels([[0, 0, 1, 1]], COARSE))
    assert student.coords.tolist() == [[0, 0, 2, 3], [0, 0, 3, 3]]
    assert teacher.coords.tolist() == [[0, 0, 1, 1]] * 2


@pytest.mark.parametrize(('ours', 'theirs'), [([], [[0, 0, 1, 1]]), ([[0, 0, 1, 1]], []), ([], [])])
def test_no_voxels_in_common(ours, theirs):
    student, teacher = match(voxels(ours), voxels(theirs))
    assert len(student.values) == len(teacher.values) == 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_lookup_equals_a_dictionary(data):
    row = st.tuples(*[st.integers(-3, 3)] * 3)
    wanted = data.draw(st.lists(row, max_size=12))
    stored = data.draw(st.lists(row, max_size=12, unique=True))
    place = {entry: index for index, entry in enumerate(stored)}
    found, position = lookup(
        torch.tensor(wanted, dtype=torch.long).reshape(-1, 3), torch.tensor(stored, dtype=torch.long).reshape(-1, 3)
    )
    expected = [(index, place[entry]) for index, entry in enumerate(wanted) if entry in place]
    assert list(zip(found.tolist(), position.tolist(), strict=True)) == expected


def test_maps_of_one_size_pass_through_and_others_are_interpolated():
    teacher = Map(torch.randn(2, 3, 8, 8))
    student = Map(torch.randn(2, 5, 8, 8))
    assert match(student, teacher)[1].values is teacher.values
    small = Map(torch.randn(2, 5, 4, 4))
    expected = functional.interpolate(teacher.values, size=(4, 4), mode='bilinear', align_corners=False, antialias=True)
    assert torch.allclose(match(small, teacher)[1].values, expected)


def test_maps_of_unequal_extent_are_read_at_the_same_place_in_metres():
    """A linear ramp in metres must read as the same ramp on a smaller, shifted, finer student map."""
    height, width = 20, 30
    grid = Grid((0.0, -10.0, -3.0), (1.0, 1.0, 4.0))
    x = (torch.arange(width) + 0.5) * 1.0
    teacher = Map(x.expand(1, 1, height, width).contiguous(), grid)
    student_grid = Grid((5.0, -3.0, -3.0), (0.5, 0.5, 4.0))
    student = Map(torch.zeros(1, 2, 8, 10), student_grid)
    expected = 5.0 + (torch.arange(10) + 0.5) * 0.5
    assert torch.allclose(match(student, teacher)[1].values[0, 0], expected.expand(8, 10), atol=1e-4)


def test_points_take_their_nearest():
    positions = torch.rand(1, 6, 3)
    teacher = Points(torch.arange(6.0).reshape(1, 6, 1), positions)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    student = Points(torch.zeros(1, 6, 2), positions[:, order])
    assert match(student, teacher)[1].values.flatten().tolist() == order.tolist()


def test_logits_need_the_same_classes():
    rows = Logits(torch.randn(3, 4), 4)
    assert match(rows, Logits(torch.randn(3, 4), 4))[0] is rows
    with pytest.raises(ConfigError, match='can not be compared'):
        match(rows, Logits(torch.randn(3, 5), 5))
    with pytest.raises(ConfigError, match='rows'):
        match(rows, Logits(torch.randn(2, 4), 4))


def test_unlike_kinds_are_refused():
    with pytest.raises(ConfigError, match='Map can not be matched with a teacher feature of kind Voxels'):
        match(Map(torch.zeros(1, 2, 3, 3)), voxels([[0, 0, 1, 1]]))
    with pytest.raises(ConfigError, match='unknown and of known position'):
        match(voxels([[0, 0, 1, 1]], None), voxels([[0, 0, 1, 1]]))
