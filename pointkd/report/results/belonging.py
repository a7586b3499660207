"""Which records are of the suite as its file is now: only these stand in tables and plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pointkd.report.results.jobs import Job, teacher_job
from pointkd.report.results.parts import TEACHER, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State, resolved_job
from pointkd.report.results.suite import Suite


def belonging(suite: Suite, places: Places, state: State) -> State:
    """Return a state without the records that are not of the suite: numbers of two configs are never mixed."""
    kept = {key: record for key, record in state.records.items() if problem(suite, places, state, record) is None}
    return replace(state, records=kept)


def problem(suite: Suite, places: Places, state: State, record: Mapping[str, Any]) -> str | None:
    """Return why a record is not of the suite, None where it is."""
    dataset = next((data for data in suite.datasets if data.name == record['dataset']), None)
    if record['suite'] != suite.name or dataset is None:
        return f'is of {record["suite"]!r}, {record["dataset"]!r}: the suite file has no such data set'
    job = _job(suite, state, dataset, record['row'], record['seed'])
    if isinstance(job, str):
        return job
    if record['config'] != job.fingerprint(places.home):
        return 'was made with another config, data, teacher or numerics than the suite file has now'
    if (record['iterations'], record['seed']) != (job.iterations, job.seed):
        return f'is of seed {record["seed"]} and {record["iterations"]} iterations, not {job.seed} and {job.iterations}'
    return None


def _job(suite: Suite, state: State, dataset: Dataset, row: str, seed: int) -> Job | str:
    """Return the job that a record must be of, or why there is none."""
    if row == TEACHER:
        return teacher_job(suite, dataset, dataset.teacher) if dataset.teacher else 'the data set has no teacher'
    arm = next((arm for arm in suite.arms_of(dataset) if arm.name == row), None)
    if arm is None:
        return f'the suite file has no row {row!r} for {dataset.name}'
    return resolved_job(suite, state, dataset, arm, seed)
