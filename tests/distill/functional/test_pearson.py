"""Correlation of maps: the reference value, a slow loop, Pearson's r, gradients, flat channels, number formats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.index_maps import map_a, map_b
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import pearson


def slow(student, teacher, statistics):
    """The formula channel by channel in numpy."""
    student, teacher = student.numpy(), teacher.numpy()
    groups = [slice(None)] if statistics == 'batch' else [slice(n, n + 1) for n in range(len(student))]
    squares = []
    for group in groups:
        for channel in range(student.shape[1]):
            x, y = student[group, channel].ravel(), teacher[group, channel].ravel()
            x, y = ((v - v.mean()) / (v.std(ddof=1) + 1e-6) for v in (x, y))
            squares += list((x - y) ** 2)
    return 0.5 * np.mean(squares)


def test_reference_value():
    assert float(pearson(map_a(), map_b())) == pytest.approx(0.9252926289, abs=1e-9)


@pytest.mark.parametrize('statistics', ['batch', 'sample'])
def test_equals_the_slow_loop(statistics):
    expected = slow(map_a(), map_b(), statistics)
    assert float(pearson(map_a(), map_b(), statistics)) == pytest.approx(expected, rel=1e-12)


def test_is_one_minus_pearsons_r():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 1, 20, 30, dtype=torch.float64, generator=generator) for _ in range(2))
    r = np.corrcoef(student.flatten(), teacher.flatten())[0, 1]
    count = student.numel()
    assert float(pearson(student, teacher)) == pytest.approx((1 - r) * (count - 1) / count, rel=1e-5)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_scale_and_offset_of_a_channel_change_nothing(scale, offset):
    expected = float(pearson(map_a(), map_b()))
    moved = map_a() * torch.tensor([scale, 1.0, 2.0])[None, :, None, None].double() + offset
    assert float(pearson(moved, map_b())) == pytest.approx(expected, rel=1e-3)
    assert float(pearson(moved, map_a())) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('statistics', ['batch', 'sample'])
def test_gradients_reach_the_student_alone(statistics):
    student = map_a()[:, :2].requires_grad_()
    teacher = map_b()[:, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pearson(x, teacher.detach(), statistics), (student,))
    pearson(student, teacher, statistics).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


def test_a_flat_channel_counts_as_zero_and_has_a_gradient():
    student = torch.ones(2, 1, 3, 3, dtype=torch.float64).requires_grad_()
    loss = pearson(student, map_b()[:2, :1, :3, :3])
    loss.backward()
    assert float(loss) == pytest.approx(0.5 * 17 / 18, rel=1e-5)  # of the teacher's side alone
    assert student.grad.isfinite().all()
    one = torch.zeros(1, 1, 1, 1, requires_grad=True)  # a single element has no spread
    pearson(one, torch.ones(1, 1, 1, 1)).backward()
    assert one.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = (map_a() * 2e4).to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = pearson(student, (map_b() * 2e4).to(dtype))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_empty_input_gives_zero_with_a_gradient_path():
    student = torch.zeros(0, 3, 4, 4, requires_grad=True)
    loss = pearson(student, torch.zeros(0, 3, 4, 4))
    loss.backward()
    assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ShapeError, match='equal shapes'):
        pearson(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3, 3))
    with pytest.raises(ShapeError, match='N, C, H, W'):
        pearson(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ConfigError, match='statistics'):
        pearson(map_a(), map_b(), 'channel')
