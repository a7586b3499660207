"""Feature mimicking and what all functions share."""

from __future__ import annotations

import pytest
import torch

from pointkd.core.errors import ShapeError
from pointkd.distill.functional import feature_mimic


def test_known_value_and_gradient():
    student = torch.tensor([[1.0, 2.0], [0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[0.0, 2.0], [2.0, -1.0]], dtype=torch.float64, requires_grad=True)
    loss = feature_mimic(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 4) / 4)
    assert torch.allclose(student.grad, (student - teacher).detach() / 2)
    assert teacher.grad is None
    assert torch.autograd.gradcheck(lambda x: feature_mimic(x, teacher.detach()), (student,))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = torch.full((3, 4), 6e4, dtype=dtype, requires_grad=True)
    loss = feature_mimic(student, -student.detach())
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_empty_input_gives_zero_with_a_gradient_path():
    student = torch.zeros(0, 4, requires_grad=True)
    loss = feature_mimic(student, torch.zeros(0, 4))
    loss.backward()
    assert loss.item() == 0


def test_shapes_must_agree():
    with pytest.raises(ShapeError, match='connect the widths'):
        feature_mimic(torch.zeros(3, 4), torch.zeros(3, 5))
