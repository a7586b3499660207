"""Intra-class variation: a value by hand, a slow loop, ignored pixels, gradients, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import DataError, ShapeError
from pointkd.distill.functional import intra_class_variation

LABELS = torch.tensor([[[0, 0, 1, 1, 2], [0, 0, 1, 255, 2], [0, 1, 1, 1, 2], [255, 1, 1, 0, 0]]]).repeat(2, 1, 1)
LABELS[1, :2] = 1


def slow(student, teacher, labels, ignore=255):
    """The formula with plain floats; ignored pixels count as 0."""
    total = 0.0
    for ours, theirs, marks in zip(student, teacher, labels.flatten(1).tolist(), strict=True):
        sides = [side.flatten(1).t().tolist() for side in (ours, theirs)]
        for place, label in enumerate(marks):
            if label == ignore:
                continue
            found = []
            for side in sides:
                members = [row for row, other in zip(side, marks, strict=True) if other == label]
                centre = [sum(column) / len(members) for column in zip(*members, strict=True)]
                product = sum(a * b for a, b in zip(side[place], centre, strict=True))
                found.append(product / math.hypot(*side[place]) / math.hypot(*centre))
            total += (found[0] - found[1]) ** 2
    return total / labels.numel()


def test_by_hand():
    """Two pixels of one class: at right angles in the student, equal in the teacher."""
    student = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    loss = intra_class_variation(student, torch.ones(1, 3, 1, 2), torch.zeros(1, 1, 2, dtype=torch.int64), 1)
    assert loss.item() == pytest.approx((1 - math.sqrt(0.5)) ** 2)


def test_equals_the_slow_loop_for_unequal_widths():
    teacher = torch.cat([map_b(), map_a().flip(0)], dim=1)
    loss = intra_class_variation(map_a(), teacher, LABELS, 3)
    assert loss.item() == pytest.approx(slow(map_a(), teacher, LABELS))


def test_equal_is_zero():
    assert intra_class_variation(map_a(), map_a(), LABELS, 3).item() == 0


def test_gradients_reach_the_student_alone():
    student, teacher = map_a().requires_grad_(), map_b().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: intra_class_variation(x, teacher.detach(), LABELS, 3), (student,))
    intra_class_variation(student, teacher, LABELS, 3).backward()
    assert student.grad.abs().sum() > 0
    assert student.grad[0, :, 1, 3].abs().sum() == 0  # an ignored pixel
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('factor', [0.0, 2e4])
def test_finite_in_half_formats_and_for_zero_features(dtype, factor):
    student = (map_a() * factor).to(dtype).requires_grad_()
    loss = intra_class_variation(student, (map_b() * 2e4).to(dtype), LABELS, 3)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize(
    ('shape', 'label'), [((0, 3, 4, 5), 0), ((2, 0, 4, 5), 0), ((2, 3, 0, 5), 0), ((2, 3, 4, 5), 255)]
)
def test_nothing_to_compare_gives_zero_with_a_gradient_path(shape, label):
    student = torch.zeros(shape, requires_grad=True)
    labels = torch.full((shape[0], *shape[2:]), label)
    loss = intra_class_variation(student, torch.zeros(shape), labels, 3)
    loss.backward()
    assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ShapeError, match='same batch and places'):
        intra_class_variation(map_a(), map_b()[:1], LABELS, 3)
    with pytest.raises(ShapeError, match='nearest_labels'):
        intra_class_variation(map_a(), map_b(), LABELS[:, :2], 3)
    with pytest.raises(DataError, match=r'expected 0\.\.1 or 255'):
        intra_class_variation(map_a(), map_b(), LABELS, 2)
    with pytest.raises(DataError, match='got 255'):
        intra_class_variation(map_a(), map_b(), LABELS, 3, None)
