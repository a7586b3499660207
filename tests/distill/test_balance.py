"""Weight and share."""

from __future__ import annotations

import pytest
import torch

from pointkd.core.errors import ConfigError
from pointkd.distill.balance import Balance, gradient_norm


def losses(feature):
    return (feature * 3).sum(), feature.square().sum()


def test_weight_is_passed_on():
    assert Balance(None, None, 'here').factor(torch.ones(()), torch.ones(()), [], 0) == 1.0
    assert Balance(0.25, None, 'here').factor(torch.ones(()), torch.ones(()), [], 0) == 0.25


def test_share_makes_the_gradients_stand_in_that_ratio():
    feature = torch.tensor([1.0, 2.0, -1.0], requires_grad=True)
    task, term = losses(feature)
    balance = Balance(None, 0.3, 'here')
    factor = balance.factor(task, term, [feature], 0)
    (task_gradient,) = torch.autograd.grad(task, feature, retain_graph=True)
    (term_gradient,) = torch.autograd.grad(term * factor, feature)
    assert float(term_gradient.norm() / task_gradient.norm()) == pytest.approx(0.3)


def test_share_is_measured_at_intervals_with_a_running_mean_and_survives_a_resume():
    feature = torch.ones(4, requires_grad=True)
    task, term = losses(feature)
    balance = Balance(None, 1.0, 'here', interval=2, momentum=0.5)
    first = balance.factor(task, term, [feature], 0)
    assert balance.factor(task * 5, term, [feature], 1) == first
    second = balance.factor(task * 5, term, [feature], 2)
    assert second == pytest.approx(first * 3)  # halfway between 1 and 5 times
    again = Balance(None, 1.0, 'here', interval=2, momentum=0.5)
    again.load(balance.state())
    assert again.factor(task, term, [feature], 3) == second


def test_share_with_an_empty_term_waits():
    feature = torch.ones(4, requires_grad=True)
    task, _ = losses(feature)
    balance = Balance(None, 1.0, 'here')
    assert balance.factor(task, feature.sum() * 0, [feature], 0) == 0.0


def test_bad_settings():
    with pytest.raises(ConfigError, match='not both'):
        Balance(1.0, 0.5, 'distill.methods[0]')
    with pytest.raises(ConfigError, match='share > 0'):
        Balance(None, 0.0, 'here')
    with pytest.raises(ConfigError, match='weight must be'):
        Balance(-1.0, None, 'here')
    with pytest.raises(ConfigError, match='gradients reach'):
        Balance(None, 0.5, 'here').factor(torch.ones(()), torch.ones(()), [torch.ones(3)], 0)


def test_gradient_norm_of_an_unrelated_loss_is_zero():
    feature = torch.ones(3, requires_grad=True)
    assert gradient_norm(torch.ones(()), [feature]) == 0
    assert gradient_norm(torch.ones(2, requires_grad=True).sum(), [feature]) == 0
