"""Channel-wise distillation: reference values, a slow loop, gradients, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import channel_wise

STUDENT = [[[[0, 1, 2], [1, 0, -1]], [[0.5, 0.5, 0.5], [0.5, 0.5, 2.5]]]]
TEACHER = [[[[2, 1, 0], [0, 1, -1]], [[0, 1, 0], [1, 0, 3]]]]


def slow(student, teacher, tau):
    """The formula with plain floats."""
    total = 0.0
    for sample_s, sample_t in zip(student.tolist(), teacher.tolist(), strict=True):
        for channel_s, channel_t in zip(sample_s, sample_t, strict=True):
            s, t = ([value / tau for row in channel for value in row] for channel in (channel_s, channel_t))
            log_s = math.log(sum(math.exp(value) for value in s))
            log_t = math.log(sum(math.exp(value) for value in t))
            total += sum(math.exp(y - log_t) * ((y - log_t) - (x - log_s)) for x, y in zip(s, t, strict=True))
    return total * tau**2 / (len(student) * student.shape[1])


@pytest.mark.parametrize(('tau', 'value'), [(1, 0.5075354327), (2, 0.5274510037), (4, 0.5125778175)])
def test_reference_values(tau, value):
    student, teacher = torch.tensor(STUDENT, dtype=torch.float64), torch.tensor(TEACHER, dtype=torch.float64)
    assert float(channel_wise(student, teacher, tau)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(('tau', 'value'), [(1, 0.4426727625), (4, 0.4982976939)])
def test_reference_values_of_index_maps(tau, value):
    assert float(channel_wise(map_a(), map_b(), tau)) == pytest.approx(value, abs=1e-9)


def test_a_constant_in_a_channel_changes_nothing():
    student, teacher = torch.tensor(STUDENT, dtype=torch.float64), torch.tensor(TEACHER, dtype=torch.float64)
    shifted = teacher + torch.tensor([3.0, -2.0], dtype=torch.float64)[None, :, None, None]
    assert float(channel_wise(student, shifted, 1)) == pytest.approx(0.5075354327, abs=1e-9)


def test_equals_the_slow_loop():
    generator = torch.Generator().manual_seed(3)
    student, teacher = (torch.randn(3, 4, 5, 2, dtype=torch.float64, generator=generator) for _ in range(2))
    assert float(channel_wise(student, teacher, 1.7)) == pytest.approx(slow(student, teacher, 1.7), rel=1e-12)


def test_gradients_reach_the_student_alone():
    student = map_a()[:1, :2].requires_grad_()
    teacher = map_b()[:1, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: channel_wise(x, teacher.detach(), 2.0), (student,))
    channel_wise(student, teacher, 2.0).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = (map_a() * 2e4).to(dtype).requires_grad_()
    loss = channel_wise(student, (map_b() * 2e4).to(dtype), 1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_autocast_changes_nothing():
    student, teacher = map_a().float(), map_b().float()
    with torch.autocast('cpu', torch.bfloat16):
        inside = channel_wise(student, teacher, 1.0)
    assert torch.equal(inside, channel_wise(student, teacher, 1.0))


@pytest.mark.parametrize('shape', [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4)])
def test_empty_input_gives_zero_with_a_gradient_path(shape):
    student = torch.zeros(shape, requires_grad=True)
    loss = channel_wise(student, torch.zeros(shape), 1.0)
    loss.backward()
    assert loss.item() == 0
    assert student.grad.shape == shape


def test_bad_input():
    with pytest.raises(ShapeError, match='equal shapes'):
        channel_wise(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3, 3), 1.0)
    with pytest.raises(ShapeError, match='N, C, H, W'):
        channel_wise(torch.zeros(2, 3), torch.zeros(2, 3), 1.0)
    with pytest.raises(ConfigError, match='tau'):
        channel_wise(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), 0.0)
