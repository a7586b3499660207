"""Pair-wise similarity: reference value, a slow loop, pooling, widths, gradients, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import pair_wise


def slow(student, teacher):
    """The formula with plain floats, place by place."""
    total, count = 0.0, 0
    for ours, theirs in zip(student, teacher, strict=True):
        places = [side.flatten(1).t().tolist() for side in (ours, theirs)]
        for i in range(len(places[0])):
            for j in range(len(places[0])):
                one, other = (
                    sum(a * b for a, b in zip(side[i], side[j], strict=True))
                    / math.hypot(*side[i])
                    / math.hypot(*side[j])
                    for side in places
                )
                total += (one - other) ** 2
                count += 1
    return total / count


def test_reference_value():
    assert pair_wise(map_a(), map_b()).item() == pytest.approx(0.9564258057, abs=1e-9)


def test_equals_the_slow_loop_for_unequal_widths():
    generator = torch.Generator().manual_seed(2)
    student = torch.randn(2, 3, 3, 2, dtype=torch.float64, generator=generator)
    teacher = torch.randn(2, 5, 3, 2, dtype=torch.float64, generator=generator)
    assert pair_wise(student, teacher).item() == pytest.approx(slow(student, teacher))


def test_pooling():
    ours, theirs = map_a(), map_b()  # 4 x 5 places
    halves = [torch.nn.functional.max_pool2d(side, 2, ceil_mode=True) for side in (ours, theirs)]
    assert pair_wise(ours, theirs, 2).item() == pytest.approx(slow(*halves))
    assert pair_wise(ours, theirs, pool=0.5).item() == pytest.approx(slow(*halves))  # windows of 2 x 2
    assert pair_wise(ours, theirs, 0.01).item() == pytest.approx(pair_wise(ours, theirs).item())


def test_scale_changes_nothing():
    assert pair_wise(map_b() * 7, map_b()).item() == pytest.approx(0, abs=1e-14)


def test_gradients_reach_the_student_alone():
    student, teacher = map_a()[:1, :, :2, :2].requires_grad_(), map_b()[:1, :, :2, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pair_wise(x, teacher.detach()), (student,))
    pair_wise(student, teacher).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('factor', [0.0, 2e4])
def test_finite_in_half_formats_and_for_zero_features(dtype, factor):
    student = (map_a() * factor).to(dtype).requires_grad_()
    loss = pair_wise(student, (map_b() * 2e4).to(dtype))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize('shape', [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4)])
def test_empty_input_gives_zero_with_a_gradient_path(shape):
    student = torch.zeros(shape, requires_grad=True)
    loss = pair_wise(student, torch.zeros(shape), 2)
    loss.backward()
    assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ShapeError, match='same batch and places'):
        pair_wise(map_a(), map_b()[..., :3])
    with pytest.raises(ShapeError, match='N, C, H, W'):
        pair_wise(map_a()[0], map_b()[0])
    for pool in (0, -1, 1.5):
        with pytest.raises(ConfigError, match='pool'):
            pair_wise(map_a(), map_b(), pool)
