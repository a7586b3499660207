"""Cross-image relations: slow loops, pooling, gradients, number formats, empty and bad input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import memory_relations, pixel_relations
from pointkd.distill.functional.cross_image import first_in_class


def relations(row, others, tau):
    """Softmax of cosines with plain floats, `row` against each of `others`."""
    cosines = [
        sum(a * b for a, b in zip(row, other, strict=True)) / math.hypot(*row) / math.hypot(*other) for other in others
    ]
    total = sum(math.exp(value / tau) for value in cosines)
    return [math.exp(value / tau) / total for value in cosines]


def divergence(theirs, ours):
    return sum(p * math.log(p / q) for p, q in zip(theirs, ours, strict=True))


def slow_pixels(student, teacher, tau):
    """Mean over pairs of images and pixels."""
    images = [[image.flatten(1).t().tolist() for image in side] for side in (student, teacher)]
    total, count = 0.0, 0
    for i in range(len(student)):
        for j in range(len(student)):
            for place in range(len(images[0][i])):
                ours, theirs = (relations(side[i][place], side[j], tau) for side in images)
                total += divergence(theirs, ours)
                count += 1
    return total / count


def test_pixels_equal_the_slow_loop_for_unequal_widths():
    teacher = torch.cat([map_b(), map_a().flip(2)], dim=1)
    assert pixel_relations(map_a(), teacher, 0.3).item() == pytest.approx(slow_pixels(map_a(), teacher, 0.3))


def test_pooling_averages_cells():
    halves = [torch.nn.functional.avg_pool2d(side, 2, ceil_mode=True) for side in (map_a(), map_b())]
    assert pixel_relations(map_a(), map_b(), 0.3, pool=2).item() == pytest.approx(slow_pixels(*halves, 0.3))


def test_memory_equals_the_slow_loop():
    generator = torch.Generator().manual_seed(0)
    student, teacher, keys = (torch.randn(n, 4, dtype=torch.float64, generator=generator) for n in (5, 5, 7))
    keys = torch.nn.functional.normalize(keys, dim=1)
    expected = 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        expected += divergence(relations(theirs, keys.tolist(), 0.2), relations(ours, keys.tolist(), 0.2)) / 5
    assert memory_relations(student, teacher, keys, 0.2).item() == pytest.approx(expected)


def test_equal_is_zero():
    assert pixel_relations(map_a() * 3, map_a()).item() == pytest.approx(0, abs=1e-14)
    rows = map_a().flatten(1).t()
    assert memory_relations(rows, rows, rows[:4]).item() == 0


def test_gradients_reach_the_student_alone():
    student, teacher = map_a()[..., :2].requires_grad_(), map_b()[..., :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pixel_relations(x, teacher.detach(), 0.5), (student,))
    rows = [side.detach().movedim(1, -1).flatten(0, 2).requires_grad_() for side in (student, teacher)]
    keys = map_b()[0, :, 0].t().clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: memory_relations(x, rows[1].detach(), keys.detach(), 0.5), (rows[0],))
    (pixel_relations(student, teacher) + memory_relations(*rows, keys)).backward()
    assert student.grad.abs().sum() > 0
    assert rows[0].grad.abs().sum() > 0
    assert teacher.grad is None
    assert rows[1].grad is None
    assert keys.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('factor', [0.0, 2e4])
def test_finite_in_half_formats_and_for_zero_features(dtype, factor):
    student = (map_a() * factor).to(dtype).requires_grad_()
    loss = pixel_relations(student, (map_b() * 2e4).to(dtype))
    loss = loss + memory_relations(student[:, :, 0, 0], map_b()[:, :, 0, 0].to(dtype), torch.eye(3))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_empty_input_gives_zero_with_a_gradient_path():
    empty, rows = torch.zeros(0, 3, 4, 4, requires_grad=True), torch.zeros(5, 3, requires_grad=True)
    losses = [
        pixel_relations(empty, torch.zeros(0, 3, 4, 4)),
        memory_relations(rows, torch.zeros(5, 3), torch.zeros(0, 3)),
        memory_relations(rows[:0], torch.zeros(0, 3), torch.eye(3)),
    ]
    for loss in losses:
        loss.backward()
        assert loss.item() == 0


def test_first_in_class():
    labels = torch.tensor([1, 0, 1, 9, 1, 0, 2])
    rows, found, rank = first_in_class(labels, 3, 2, torch.tensor([6, 4, 3, 2, 0, 5, 1]))
    assert rows.tolist() == [5, 1, 4, 2, 6]
    assert found.tolist() == [0, 0, 1, 1, 2]
    assert rank.tolist() == [0, 1, 0, 1, 0]
    nothing = first_in_class(labels[:0], 3, 2, labels[:0])
    assert [len(entry) for entry in nothing] == [0, 0, 0]


def test_bad_input():
    with pytest.raises(ShapeError, match='same batch and places'):
        pixel_relations(map_a(), map_b()[..., :3])
    with pytest.raises(ShapeError, match='equal widths'):
        memory_relations(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(4, 5))
    for bad in (0, 1.5):
        with pytest.raises(ConfigError, match='pool'):
            pixel_relations(map_a(), map_b(), pool=bad)
    with pytest.raises(ConfigError, match='tau'):
        memory_relations(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(4, 3), 0)
