"""The tables of a suite as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pointkd.report.page import cell_text
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import EXTENSION, Dataset
from pointkd.report.results.plan import State
from pointkd.report.results.plots import plots_of
from pointkd.report.results.rows import Row, rows_of
from pointkd.report.results.statistics import Difference, Spread
from pointkd.report.results.suite import Suite

NOT_RUN = 'not run'
COSTS = ('parameters', 'multiply-adds', 'latency, ms', 'ms a step')


def render(suite: Suite, state: State, pictures: str) -> str:
    """Return the tables of all data sets.

    Args:
        suite: the suite.
        state: what has been measured.
        pictures: what stands before the names of the plots, so that links hold where the text goes.
    """
    parts = [f'## {suite.title}', _how(suite)]
    for dataset in suite.datasets:
        rows = rows_of(suite, dataset, state)
        parts += [f'### {dataset.title}', accuracy_table(dataset, rows), _reading(dataset, state, rows)]
        parts.append(difference_table(dataset, rows))
        plots = plots_of(suite, dataset, state)
        if plots:
            parts.append('\n'.join(f'![{dataset.title}: {plot.title}]({pictures}{plot.name})' for plot in plots))
    return '\n\n'.join(part for part in parts if part) + '\n'


def accuracy_table(dataset: Dataset, rows: Sequence[Row]) -> str:
    """Return the table of means and standard deviations, with what each row costs."""
    columns = dataset.columns
    header = ['row', 'runs', *(column.title for column in columns), *COSTS]
    lines = []
    for row in rows:
        spreads = [row.spread(dataset, column) for column in columns]
        cells = [spread_text(value) for value in spreads] if row.records else [NOT_RUN] + [''] * (len(columns) - 1)
        cost = [cell_text(row.number('params')), in_millions(row.number('macs'))]
        cost += [cell_text(row.latency_ms), cell_text(row.step_ms)]
        lines.append([row.title, str(len(row.records)), *cells, *cost])
    return markdown(header, with_heading(lines, rows))


def difference_table(dataset: Dataset, rows: Sequence[Row]) -> str:
    """Return the table of paired differences with their intervals, '' where no seed is in both rows of a pair."""
    header = ['row', 'compared to', 'pairs', *(column.title for column in dataset.columns)]
    lines, shown = [], []
    pairs = [(own, other) for own in rows for other in own.controls]
    for row, control in pairs:
        differences = [row.difference(control, dataset, column) for column in dataset.columns]
        present = [difference for difference in differences if difference is not None]
        if present:
            shown.append(row)
            lines.append([row.title, control.title, str(present[0].n), *map(difference_text, present)])
    return markdown(header, with_heading(lines, shown)) if lines else ''


def spread_text(value: Spread | None) -> str:
    """Return a mean with its standard deviation.

    Example:
        >>> spread_text(Spread(41.26, 0.61, 3)), spread_text(Spread(41.26, None, 1)), spread_text(None)
        ('41.3 ± 0.6', '41.3', 'not run')
    """
    if value is None:
        return NOT_RUN
    return f'{value.mean:.1f}' + ('' if value.std is None else f' ± {value.std:.1f}')


def difference_text(value: Difference) -> str:
    """Return a difference with its 95 % interval.

    Example:
        >>> difference_text(Difference(1.24, 0.5, 3)), difference_text(Difference(-1.24, None, 1))
        ('+1.2 [+0.7, +1.7]', '-1.2 (one run)')
    """
    if value.half_width is None:
        return f'{value.mean:+.1f} (one run)'
    return f'{value.mean:+.1f} [{value.mean - value.half_width:+.1f}, {value.mean + value.half_width:+.1f}]'


def in_millions(number: int | None) -> str:
    """Return a count in millions.

    Example:
        >>> in_millions(1234567890), in_millions(None)
        ('1,235 M', '-')
    """
    return '-' if number is None else f'{number / 1e6:,.0f} M'


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is aligned left, the others right."""
    rule = ['---', *['--:'] * (len(header) - 1)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in [header, rule, *rows])


def with_heading(lines: list[list[str]], rows: Sequence[Row]) -> list[list[str]]:
    """Return the lines of some rows with a heading before the first extension row, where core rows precede it."""
    groups = [row.group for row in rows]
    if EXTENSION not in groups or groups[0] == EXTENSION:
        return lines
    place = groups.index(EXTENSION)
    return [*lines[:place], ['*extension*', *[''] * (len(lines[0]) - 1)], *lines[place:]]


def _how(suite: Suite) -> str:
    """Return how the numbers were made and are to be read."""
    meanings = list(dict.fromkeys(kind_of(dataset).meaning for dataset in suite.datasets))
    return (
        f'Made by `pointkd results {suite.name}` ({suite.numerics}). {"; ".join(meanings)} on the test frames, '
        'which each run looks at once, at its end: mean ± standard deviation over seeds. Differences are taken '
        "seed by seed, with the 95 % interval of their mean by Student's t: where it holds 0, nothing is shown."
    )


def _reading(dataset: Dataset, state: State, rows: Sequence[Row]) -> str:
    """Return what the numbers of a data set come from."""
    records = [record for row in rows for record in row.records.values()]
    schedule = dataset.schedule
    sentences = [f'{schedule.iterations} iterations, batch size {schedule.batch_size}.']
    sentences += [f'{records[0]["frames"]} test frames.'] if records else []
    sentences += [dataset.note] if dataset.note else []
    scaled = {row.title: row.records[min(row.records)]['factor'] for row in rows if row.records}
    sentences += [f'{title}: {factor} times the iterations.' for title, factor in scaled.items() if factor != 1]
    if records:
        sentences.append(f'Trained on: {_listed(record["processor"] for record in records)}.')
        sentences.append(f'Commits: {_listed(record["commit"] for record in records)}.')
    measured = state.calibration.get('measured', {}).get(dataset.name)
    if measured:
        sentences.append(
            f'Time of a training step: median of {measured["steps"]}, in turns, on {measured["processor"]}, load '
            f'average {measured["load_average"]} before.'
        )
    timed = state.latency.get('measured', {}).get(dataset.name)
    if timed:
        sentences.append(
            f'Latency: the network alone in ONNX Runtime, one input, {timed["threads"]} thread, median of '
            f'{timed["runs"]}, in turns, on {timed["processor"]}.'
        )
    return ' '.join(sentences)


def _listed(values: object) -> str:
    """Return different values in order, with commas."""
    return ', '.join(sorted(set(values)))  # type: ignore[call-overload]
