"""DIST: reference values, a slow loop, what it does not see, gradients, number formats, empty and constant input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import dist

STUDENT = torch.tensor([[1, 2, 0.5, -1], [0, 0.5, -0.5, 0], [3, -1, 0.2, 0.7]], dtype=torch.float64)
TEACHER = torch.tensor([[2, 1, 0, -0.5], [1, -1, 0.5, 0], [2.5, 0, 0, 1]], dtype=torch.float64)


def softmax(row, tau):
    total = sum(math.exp(value / tau) for value in row)
    return [math.exp(value / tau) / total for value in row]


def pearson(one, other):
    mean = sum(one) / len(one), sum(other) / len(other)
    one, other = [value - mean[0] for value in one], [value - mean[1] for value in other]
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def slow(student, teacher, tau, beta, gamma):
    """The formula with plain floats, rows (R, C)."""
    ours, theirs = ([softmax(row, tau) for row in side.tolist()] for side in (student, teacher))
    parts = []
    for one, other in ((ours, theirs), (list(zip(*ours, strict=True)), list(zip(*theirs, strict=True)))):
        parts.append(sum(1 - pearson(a, b) for a, b in zip(one, other, strict=True)) / len(one))
    return tau**2 * (beta * parts[0] + gamma * parts[1])


@pytest.mark.parametrize(('beta', 'gamma', 'value'), [(1, 0, 0.7909822345), (0, 1, 0.2544151278)])
def test_reference_values(beta, gamma, value):
    assert dist(STUDENT, TEACHER, 1.0, beta, gamma).item() == pytest.approx(value, abs=2e-9)


def test_the_default_is_the_sum_of_both():
    assert dist(STUDENT, TEACHER).item() == pytest.approx(0.7909822345 + 0.2544151278, abs=2e-9)


@pytest.mark.parametrize('tau', [1.0, 2.5])
def test_equals_the_slow_loop(tau):
    generator = torch.Generator().manual_seed(4)
    student, teacher = (torch.randn(7, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    assert dist(student, teacher, tau, 0.7, 1.3).item() == pytest.approx(slow(student, teacher, tau, 0.7, 1.3))


def test_maps_are_rows_of_pixels():
    ours, theirs = map_a(), map_b()
    rows = [side.movedim(1, -1).reshape(-1, 3) for side in (ours, theirs)]
    assert dist(ours, theirs).item() == pytest.approx(dist(*rows).item())
    images = [dist(ours[n : n + 1], theirs[n : n + 1]).item() for n in range(2)]
    assert dist(ours, theirs, per_image=True).item() == pytest.approx(sum(images) / 2)
    assert dist(ours, theirs, per_image=True).item() != pytest.approx(dist(ours, theirs).item())


def test_equal_is_zero_and_unsure_in_the_same_way_too():
    assert dist(TEACHER, TEACHER).item() == pytest.approx(0, abs=1e-14)
    blurred = (TEACHER.softmax(1) * 0.5 + 0.125).log()  # probabilities half way to equal ones
    assert dist(blurred, TEACHER).item() == pytest.approx(0, abs=1e-14)


def test_gradients_reach_the_student_alone():
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dist(x, teacher.detach(), 2.0), (student,))
    dist(student, teacher).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('factor', [0.0, 1.0, 2e4])
def test_finite_in_half_formats_and_for_constant_rows(dtype, factor):
    student = (map_a() * factor).to(dtype).requires_grad_()
    loss = dist(student, (map_b() * 2e4).to(dtype))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_a_teacher_without_an_opinion_says_nothing():
    student = STUDENT.clone().requires_grad_()
    loss = dist(student, torch.zeros_like(STUDENT))
    loss.backward()
    assert loss.item() == 0
    assert student.grad.abs().sum() == 0


@pytest.mark.parametrize('shape', [(0, 4), (3, 0), (0, 3, 2, 2)])
def test_empty_input_gives_zero_with_a_gradient_path(shape):
    student = torch.zeros(shape, requires_grad=True)
    loss = dist(student, torch.zeros(shape))
    loss.backward()
    assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ShapeError, match='equal shapes'):
        dist(STUDENT, TEACHER[:2])
    with pytest.raises(ShapeError, match=r'\(R, C\) or \(N, C, H, W\)'):
        dist(STUDENT[None], TEACHER[None])
    with pytest.raises(ShapeError, match=r'expected class scores \(N, C, H, W\)'):
        dist(STUDENT, TEACHER, per_image=True)
    with pytest.raises(ConfigError, match='tau'):
        dist(STUDENT, TEACHER, 0.0)
