"""The watch warns once for each sign, and only then."""

from __future__ import annotations

import logging

import torch

from pointkd.distill.collapse import CollapseWatch, spread


def run(watch, teacher_scale, student_scale=lambda step: 1.0, steps=20, scalars=None):
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        rows = torch.randn(50, 4, generator=generator)
        watch.look(step, (rows * student_scale(step), rows * teacher_scale(step)), scalars or {})


def test_healthy_features_stay_silent(caplog):
    with caplog.at_level(logging.WARNING):
        run(CollapseWatch('term', interval=1), lambda step: 1.0)
    assert not caplog.records


def test_a_teacher_that_loses_its_spread_is_reported_once(caplog):
    watch = CollapseWatch('local_graph', interval=1)
    with caplog.at_level(logging.WARNING):
        run(watch, lambda step: 0.5**step)
    assert len(caplog.records) == 1
    assert 'term=local_graph sign=teacher_spread' in caplog.text


def test_a_student_that_vanishes_is_reported(caplog):
    with caplog.at_level(logging.WARNING):
        run(CollapseWatch('term', interval=1), lambda step: 1.0, lambda step: 0.4**step)
    assert 'sign=student_size' in caplog.text


def test_few_effective_centres_are_reported(caplog):
    with caplog.at_level(logging.WARNING):
        run(CollapseWatch('term'), lambda step: 1.0, scalars={'effective_share': torch.tensor(0.001)})
    assert 'sign=effective_share' in caplog.text


def test_state_round_trip_and_empty_input():
    watch = CollapseWatch('term', interval=1)
    run(watch, lambda step: 1.0, steps=7)
    other = CollapseWatch('term', interval=1)
    other.load(watch.state())
    assert other.state() == watch.state()
    assert watch.look(8, (torch.zeros(0, 4), torch.zeros(0, 4)), {}) == {}
    assert watch.look(8, None, {}) == {}


def test_spread_ignores_a_constant_offset():
    rows = torch.randn(100, 3)
    assert torch.allclose(spread(rows), spread(rows + 7), atol=1e-5)
    assert float(spread(torch.ones(5, 3))) == 0.0
