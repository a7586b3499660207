"""Divergences of class scores: reference values, slow loops, gradients, masks, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import confident, logit_kl, sigmoid_kl

STUDENT = torch.tensor([[1, 2, 0.5, -1], [0, 0.5, -0.5, 0], [3, -1, 0.2, 0.7]], dtype=torch.float64)
TEACHER = torch.tensor([[2, 1, 0, -0.5], [1, -1, 0.5, 0], [2.5, 0, 0, 1]], dtype=torch.float64)
ROWS = {1: [0.4163522191, 0.3668459980, 0.0728073480], 4: [0.3517120618, 0.4877976669, 0.1515416202]}
MEAN = {1: 0.2853351884, 4: 0.3303504497}


@pytest.mark.parametrize('tau', [1, 4])
def test_reference_values(tau):
    assert float(logit_kl(STUDENT, TEACHER, tau)) == pytest.approx(MEAN[tau], abs=1e-9)
    for student, teacher, value in zip(STUDENT, TEACHER, ROWS[tau], strict=True):
        assert float(logit_kl(student, teacher, tau)) == pytest.approx(value, abs=1e-9)


def test_rows_of_several_samples_are_averaged():
    assert float(logit_kl(STUDENT[None], TEACHER[None], 1)) == pytest.approx(MEAN[1], abs=1e-9)


def slow_sigmoid(student, teacher, tau, weights):
    total = 0.0
    for z_s, z_t, weight in zip(student.tolist(), teacher.tolist(), weights.tolist(), strict=True):
        for s, t in zip(z_s, z_t, strict=True):
            p, q = (1 / (1 + math.exp(-value / tau)) for value in (t, s))
            total += weight * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    return total * tau**2 / sum(weights.tolist())


@pytest.mark.parametrize('tau', [1.0, 3.0])
def test_sigmoid_equals_the_slow_loop(tau):
    weights = torch.tensor([0.3, 0.0, 1.0])
    expected = slow_sigmoid(STUDENT, TEACHER, tau, weights)
    assert float(sigmoid_kl(STUDENT, TEACHER, tau, weights)) == pytest.approx(expected, rel=1e-6)


def test_gradients_reach_the_student_alone():
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    weights = torch.tensor([0.3, 0.2, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: logit_kl(x, teacher.detach(), 2.0), (student,))
    assert torch.autograd.gradcheck(lambda x: sigmoid_kl(x, teacher.detach(), 2.0, weights), (student,))
    (logit_kl(student, teacher, 2.0) + sigmoid_kl(student, teacher, 2.0, weights)).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('loss', [logit_kl, lambda s, t, tau: sigmoid_kl(s, t, tau, torch.ones(len(s)))])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(loss, dtype):
    student = (STUDENT * 2e4).to(dtype).requires_grad_()
    value = loss(student, (TEACHER * -2e4).to(dtype), 1.0)
    value.backward()
    assert value.isfinite()
    assert student.grad.isfinite().all()


def test_nothing_to_compare_gives_zero_with_a_gradient_path():
    rows = torch.zeros(0, 4, requires_grad=True)
    losses = [
        logit_kl(rows, torch.zeros(0, 4), 1.0),
        sigmoid_kl(rows, torch.zeros(0, 4), 1.0, torch.zeros(0)),
        sigmoid_kl(STUDENT.clone().requires_grad_(), TEACHER, 1.0, torch.zeros(3)),
    ]
    for loss in losses:
        loss.backward()
        assert loss.item() == 0


@pytest.mark.parametrize('tau', [1.0, 2.0, 10.0])
def test_where_no_row_counts_the_gradient_is_zero(tau):
    student = STUDENT.float().requires_grad_()
    sigmoid_kl(student, TEACHER.float(), tau, torch.zeros(3)).backward()
    assert student.grad.abs().max() == 0


def test_bad_input():
    with pytest.raises(ShapeError):
        logit_kl(STUDENT, TEACHER[:2], 1.0)
    with pytest.raises(ConfigError, match='tau'):
        logit_kl(STUDENT, TEACHER, -1.0)
    with pytest.raises(ConfigError, match='fraction'):
        confident(torch.zeros(3), fraction=0.0)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9]), max_size=12), st.sampled_from([0.1, 0.34, 1.0]))
def test_confident_rows_don_t_depend_on_their_order(values, fraction):
    confidence = torch.tensor(values)
    chosen = confident(confidence, threshold=0.1, fraction=fraction)
    assert torch.equal(confident(confidence.flip(0), threshold=0.1, fraction=fraction), chosen.flip(0))
    wanted = min(math.ceil(fraction * len(values)), int((confidence > 0.1).sum()))
    assert int(chosen.sum()) >= wanted
    assert not (chosen & (confidence <= 0.1)).any()
    left = confidence[~chosen & (confidence > 0.1)]
    assert not len(left) or confidence[chosen].min() > left.max()
