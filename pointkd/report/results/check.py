"""Do the tables match the JSONs, and the JSONs the suite? Reads files of the repository only."""

from __future__ import annotations

from collections.abc import Iterator

from pointkd.core.errors import PointKDError
from pointkd.report.results.belonging import belonging, problem
from pointkd.report.results.pages import page_section, section
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
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
        found.extend(_pages(suite, places, belonging(suite, places, state)))
    except PointKDError as error:
        found.append(str(error))
    return found


def _teachers(suite: Suite, places: Places) -> Iterator[str]:
    """Yield what is wrong with files of teachers."""
    for name in suite.teachers:
        reason = teacher_problem(places, suite, name)
        if reason:
            yield reason


def _records(suite: Suite, places: Places, state: State) -> Iterator[str]:
    """Yield the records that are not of this suite as it is."""
    for (dataset, row, seed), record in state.records.items():
        reason = problem(suite, places, state, record)
        if record['digest'] != digest(record):
            reason = 'was changed after it was written'
        if reason:
            yield f'{places.shown(places.record(dataset, row, seed))}: {reason}'


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
