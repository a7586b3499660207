"""Factors over time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError
from pointkd.distill.registry import SCHEDULES, build_strict


def factors(block, total=100):
    schedule = build_strict(SCHEDULES, block, 'schedule')
    return [schedule.factor(iteration, total) for iteration in range(total)]


def test_constant():
    assert set(factors(dict(type='Constant'))) == {1.0}


def test_warmup_in_iterations_and_in_shares():
    values = factors(dict(type='Warmup', end=10))
    assert values[:3] == [0.0, 0.1, 0.2]
    assert values[10:] == [1.0] * 90
    assert values == factors(dict(type='Warmup', end=0.1))
    assert factors(dict(type='Warmup', begin=50, end=50)) == [0.0] * 50 + [1.0] * 50


def test_cosine_falls_to_its_final_value():
    values = factors(dict(type='Cosine', begin=20, end=60, final=0.25))
    assert values[:21] == [1.0] * 21
    assert values[40] == pytest.approx(0.625)
    assert values[60:] == [0.25] * 40


def test_until():
    assert factors(dict(type='Until', end=0.3)) == [1.0] * 30 + [0.0] * 70


@pytest.mark.parametrize(
    'block',
    [
        dict(type='Warmup', end=-1),
        dict(type='Warmup', end=1.5),
        dict(type='Cosine', final=2),
        dict(type='Warmpu', end=3),
        dict(type='Warmup', stop=3),
        dict(type='Warmup'),
    ],
)
def test_refuses(block):
    with pytest.raises(ConfigError):
        build_strict(SCHEDULES, block, 'schedule')


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sampled_from(['Warmup', 'Cosine', 'Until']), st.floats(0, 1), st.integers(1, 1000), st.integers(0, 2000))
def test_factor_stays_between_0_and_1(kind, end, total, iteration):
    schedule = build_strict(SCHEDULES, dict(type=kind, end=end), 'schedule')
    assert 0.0 <= schedule.factor(iteration, total) <= 1.0
