"""The order of runs, what counts as done, what blocks, and how long the rest takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.test_results_made import SUITE, add_record, make_home, read_made

from pointkd.core.errors import DataError
from pointkd.report.results.execute import Choice, spoken
from pointkd.report.results.places import Places
from pointkd.report.results.plan import (
    BLOCKED,
    DONE,
    MISSING,
    OVERHEAD_S,
    STALE,
    Run,
    State,
    expected_seconds,
    ordered,
    plan,
    seconds_left,
)
from pointkd.report.results.records import write_compact


def runs_of(places: Places, seeds: int | None = None) -> list[Run]:
    return plan(read_made(places), places, State.read(places), seeds)


def test_core_rows_go_seed_by_seed_and_extensions_row_by_row(tmp_path: Path) -> None:
    suite = read_made(make_home(tmp_path, SUITE.replace("name='wide'", "name='wide', seeds=2")))
    order = [(data.name, arm.name, seed) for data, arm, seed in ordered(suite)]
    first = [('cars', 'plain', 0), ('cars', 'graph', 0), ('streets', 'plain', 0), ('streets', 'graph', 0)]
    assert order[:4] == first
    assert order[4:8] == [(data, arm, 1) for data, arm, _ in first]
    assert order[12:] == [('cars', 'wide', 0), ('cars', 'wide', 1)]
    assert len(list(ordered(suite, seeds=1))) == 5


def test_teachers_come_first_and_what_is_done_stays_done(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    assert [(run.dataset, run.row, run.state) for run in runs_of(places)[:2]] == [
        ('cars', 'teacher', MISSING),
        ('streets', 'teacher', MISSING),
    ]
    add_record(places, 'cars', 'plain', 0, 40.0)
    add_record(places, 'cars', 'plain', 7, 40.0)
    add_record(places, 'cars', 'graph', 0, 40.0, config='0123456789abcdef')
    states = {str(run): run.state for run in runs_of(places)}
    assert states['cars plain seed 0'] == DONE
    assert states['cars plain seed 1'] == MISSING
    assert states['cars graph seed 0'] == STALE
    assert 'cars plain seed 7' not in states
    chosen = Choice(arms=['plain'], datasets=['cars']).of(runs_of(places))
    assert [run.seed for run in chosen] == [0, 1, 2]


def test_a_teacher_that_is_not_made_blocks_what_learns_from_it(tmp_path: Path) -> None:
    runs = runs_of(make_home(tmp_path, SUITE.replace('SHA256', 'None')))
    blocked = {run.row for run in runs if run.state == BLOCKED}
    assert blocked == {'teacher', 'graph'}
    assert all('--make-teacher big' in run.reason for run in runs if run.state == BLOCKED)


def test_a_tuned_row_needs_its_tuning(tmp_path: Path) -> None:
    key = 'distill.methods.0.weight'
    places = make_home(
        tmp_path, SUITE.replace("name='graph'", f"name='graph', tuned=True, grid={{'{key}': [1.0, 3.0]}}")
    )
    graph = next(run for run in runs_of(places) if run.row == 'graph')
    assert (graph.state, graph.reason) == (BLOCKED, 'run --tune graph --dataset cars first')
    write_compact(places.tuning, {'cars': {'graph': {'chosen': {key: 3.0}}}})
    graph = next(run for run in runs_of(places) if run.row == 'graph')
    assert graph.state == MISSING
    assert graph.job is not None
    assert graph.job.resolved(tmp_path).distill.methods[0].weight == 3.0


def test_an_equal_time_row_keeps_the_factor_of_its_first_run(tmp_path: Path) -> None:
    places = make_home(tmp_path, SUITE.replace("name='wide'", "name='wide', equal_time_to='graph'"))
    wide = next(run for run in runs_of(places) if run.row == 'wide')
    assert wide.state == BLOCKED
    assert '--calibrate --dataset cars' in wide.reason
    write_compact(places.calibration, {'datasets': {'cars': {'wide': {'ms': 100.0}, 'graph': {'ms': 150.0}}}})
    wide = next(run for run in runs_of(places) if run.row == 'wide')
    assert wide.job is not None
    assert (wide.job.factor, wide.job.iterations) == (1.5, 150)
    assert add_record(places, 'cars', 'wide', 0, 40.0)['factor'] == 1.5
    write_compact(places.calibration, {'datasets': {'cars': {'wide': {'ms': 100.0}, 'graph': {'ms': 190.0}}}})
    states = {run.seed: (run.state, run.job.factor) for run in runs_of(places) if run.row == 'wide' and run.job}
    assert states == {0: (DONE, 1.5), 1: (MISSING, 1.5), 2: (MISSING, 1.5)}


def test_the_time_comes_from_the_calibration_else_from_what_is_done(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    state = State.read(places)
    runs = [run for run in runs_of(places) if run.dataset == 'cars' and run.row == 'plain']
    assert expected_seconds(runs[0], state) is None
    assert seconds_left(runs, state) == (0, 3)
    add_record(places, 'cars', 'graph', 0, 40.0, train_seconds=200.0)  # 2 s an iteration
    assert expected_seconds(runs[0], State.read(places)) == OVERHEAD_S + 200
    write_compact(places.calibration, {'datasets': {'cars': {'plain': {'ms': 500.0}}}})
    assert seconds_left(runs, State.read(places)) == (3 * (OVERHEAD_S + 50), 0)
    assert [spoken(value) for value in (89, 91, 7200)] == ['89 s', '2 min', '2 h 00 min']


def test_a_broken_or_misplaced_record_is_named(tmp_path: Path) -> None:
    places = make_home(tmp_path)
    add_record(places, 'cars', 'plain', 0, 40.0)
    path = places.record('cars', 'plain', 0)
    path.rename(places.record('cars', 'plain', 1))
    with pytest.raises(DataError, match='which belongs elsewhere'):
        State.read(places)
    places.record('cars', 'plain', 1).write_text('{"suite": ')
    with pytest.raises(DataError, match='can not be read as JSON'):
        State.read(places)
    places.record('cars', 'plain', 1).write_text('{"suite": "made"}')
    with pytest.raises(DataError, match="entry 'dataset' is missing"):
        State.read(places)
