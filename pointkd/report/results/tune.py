"""Chooses a row's settings on the validation frames, from a small grid that the suite declares."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json
from pointkd.report.results.data import prepare
from pointkd.report.results.jobs import Job, arm_job
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import Arm, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
from pointkd.report.results.records import read_json, write_compact
from pointkd.report.results.runs import carry_out
from pointkd.report.results.suite import Suite
from pointkd.report.results.teachers import check_teacher

SHARE = 0.5  # of the schedule
SEED = 0
OUTCOME = 'outcome.json'  # in a trial's work folder


def grid_settings(arm: Arm) -> list[dict[str, Any]]:
    """Return every setting of an arm's grid: changes by dotted key.

    Raises:
        ConfigError: it has no grid.
    """
    if not arm.grid:
        raise ConfigError(f'arm {arm.name!r}: has no grid to tune')
    return [dict(zip(arm.grid, values, strict=True)) for values in itertools.product(*arm.grid.values())]


def tune(
    suite: Suite, places: Places, arm: Arm, dataset: Dataset, given: Mapping[str, Path], say: Callable[[str], None]
) -> dict[str, Any]:
    """Try an arm's grid on a data set: one seed, half the schedule, AP of the first column on the validation frames.

    What was tried and chosen goes into tuning.json; a setting that was tried before a kill is not tried again.

    Args:
        suite: the suite.
        places: its files.
        arm: the row.
        dataset: the data set.
        given: folders of the user's data, by data set.
        say: prints a line.

    Returns:
        The entry of tuning.json.
    """
    settings = grid_settings(arm)
    teacher = suite.teacher_of(dataset, arm)
    if teacher is not None:
        check_teacher(places, suite, teacher)
    data = prepare(places, dataset, given, say)
    tried: list[dict[str, Any]] = []
    record: dict[str, Any] = {}
    for number, setting in enumerate(settings):
        say(f'[{number + 1}/{len(settings)}] {dataset.name} {arm.name}: {setting}')
        job = arm_job(suite, dataset, arm, SEED, factor=SHARE, chosen={**dataset.trials, **setting}, part='val')
        record = outcome(job, places.trial(dataset.name, arm.name, number), places.home, data, suite.losses)
        tried.append(
            {'setting': setting, 'score': kind_of(dataset).value(record['metrics'], dataset, dataset.columns[0])}
        )
        say(f'  {dataset.columns[0].title} {tried[-1]["score"]:.2f}')
    best = max(tried, key=lambda entry: entry['score'])
    entry = {
        'column': dataset.columns[0].title,
        'seed': SEED,
        **{key: record[key] for key in ('iterations', 'frames', 'commit', 'processor', 'numerics')},
        'tried': tried,
        'chosen': best['setting'],
    }
    content = State.read(places).tuning
    content.setdefault(dataset.name, {})[arm.name] = entry
    write_compact(places.tuning, content)
    say(f'chosen: {best["setting"]}' + ('' if arm.tuned else f' (the suite must say tuned=True for {arm.name})'))
    return entry


def outcome(job: Job, folder: Path, home: Path, data: Path, losses: list[str]) -> dict[str, Any]:
    """Return the record of a trial, from its work folder where it is complete."""
    done = folder / OUTCOME
    if done.is_file():
        record = read_json(done)
        if record.get('config') == job.fingerprint(home):
            return record
    size = {'params': 0, 'macs': 0}  # a trial's cost is not reported
    record = carry_out(job, folder, home=home, data=data, losses=losses, size=size)
    write_json(done, record)
    return record
