"""Do the tables match the JSONs, and the JSONs the suite? Reads files of the repository only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pointkd.core.errors import PointKDError
from pointkd.report.results.jobs import teacher_job
from pointkd.report.results.pages import page_section, section
from pointkd.report.results.parts import TEACHER, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State, resolved_job
from pointkd.report.results.plots import plots_of
from pointkd.report.results.records import digest
from pointkd.report.results.suite import Suite
from pointkd.report.results.tables import render
from pointkd.report.results.teachers import teacher_problem
from pointkd.report.results.tune import grid_settings


def mismatches(suite: Suite, places: Places) -> list[str]:
    """Return a line for everything that does not match."""
    found: list[str] = []
    try:
        state = State.read(places)
        found.extend(_teachers(suite, places))
        found.extend(_records(suite, places, state))
        found.extend(_tuning(suite, places, state))
        found.extend(_pages(suite, places, state))
    except PointKDError as error:
        found.append(str(error))
    return found


def _teachers(suite: Suite, places: Places) -> Iterator[str]:
    """Yield what is wrong with files of teachers."""
    for name in suite.teachers:
        problem = teacher_problem(places, suite, name)
        if problem:
            yield problem


def _records(suite: Suite, places: Places, state: State) -> Iterator[str]:
    """Yield the records that are not of this suite as it is."""
    for (dataset, row, seed), record in state.records.items():
        problem = _record_problem(suite, places, state, record)
        if problem:
            yield f'{places.shown(places.record(dataset, row, seed))}: {problem}'


def _record_problem(suite: Suite, places: Places, state: State, record: dict[str, Any]) -> str | None:
    """Return why a record does not belong to the suite, None where it does."""
    if record['digest'] != digest(record):
        return 'was changed after it was written'
    dataset = next((data for data in suite.datasets if data.name == record['dataset']), None)
    if record['suite'] != suite.name or dataset is None:
        return f'is of {record["suite"]!r}, {record["dataset"]!r}: the suite file has no such data set'
    job = _job(suite, state, dataset, record['row'], record['seed'])
    if isinstance(job, str):
        return job
    if record['config'] != job.fingerprint(places.home):
        return 'was made with another config, data, teacher or numerics than the suite file has now'
    if (record['iterations'], record['seed']) != (job.iterations, job.seed):
        return (
            f'expected {job.iterations} iterations of seed {job.seed}, got {record["iterations"]} of {record["seed"]}'
        )
    return None


def _job(suite: Suite, state: State, dataset: Dataset, row: str, seed: int) -> Any:
    """Return the job that a record must be of, or why there is none."""
    if row == TEACHER:
        return teacher_job(suite, dataset, dataset.teacher) if dataset.teacher else 'the data set has no teacher'
    arm = next((arm for arm in suite.arms_of(dataset) if arm.name == row), None)
    if arm is None:
        return f'the suite file has no row {row!r} for {dataset.name}'
    return resolved_job(suite, state, dataset, arm, seed)


def _tuning(suite: Suite, places: Places, state: State) -> Iterator[str]:
    """Yield choices that are not the best of what was tried, or not of the grid."""
    for dataset, entries in state.tuning.items():
        for name, entry in entries.items():
            where = f'{places.shown(places.tuning)}: {dataset} {name}'
            settings = grid_settings(suite.arm(name)) if suite.arm(name).grid else []
            tried = [trial['setting'] for trial in entry['tried']]
            best = max(entry['tried'], key=lambda trial: trial['score'])
            if tried != settings:
                yield f'{where}: was tuned over another grid than the suite file has'
            elif entry['chosen'] != best['setting']:
                yield f'{where}: chosen is {entry["chosen"]}, the best that was tried is {best["setting"]}'


def _pages(suite: Suite, places: Places, state: State) -> Iterator[str]:
    """Yield tables and plots that are not those of the records."""
    again = f'write them with `pointkd results {suite.name} --tables`'
    if not places.tables.is_file() or places.tables.read_text(encoding='utf-8') != render(suite, state, pictures=''):
        yield f'{places.shown(places.tables)}: these are not the tables of the JSONs; {again}'
    if page_section(places) != section(suite, state):
        yield f'{places.shown(places.page)}: the section of {suite.name} is not made from the JSONs; {again}'
    for dataset in suite.datasets:
        for plot in plots_of(suite, dataset, state):
            path = places.documents / plot.name
            if not path.is_file():
                yield f'{places.shown(path)}: the plot is missing; {again}'
