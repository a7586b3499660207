"""The plots of a suite: accuracy against cost, and learning curves."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.files import atomic_write
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import CORE, TEACHER, Dataset
from pointkd.report.results.plan import State
from pointkd.report.results.rows import Row, rows_of
from pointkd.report.results.suite import Suite

COLOURS = ('#1f6fb2', '#c2531c', '#2a8a57', '#8a4fa3', '#7a6a2b', '#b3355b', '#4a5a6a', '#3aa0a0')
GREY = '#9aa4ad'
SHAPES = ('o', '^', 'v', 'D')
GAP = 0.015  # between rows of equal cost, as a share of the axis


@dataclass(frozen=True)
class Plot:
    """A picture that can be drawn.

    Attributes:
        name: of its file, below the suite's folder.
        title: in words.
        draw: draws it on axes.
    """

    name: str
    title: str
    draw: Callable[[Any], None]


def plots_of(suite: Suite, dataset: Dataset, state: State) -> list[Plot]:
    """Return the plots of a data set for which there are numbers."""
    rows = [row for row in rows_of(suite, dataset, state) if row.records]
    fast = [row for row in rows if row.latency_ms is not None]
    timed = [row for row in rows if row.step_ms is not None]
    curves = [row for row in rows if row.group == CORE and row.name != TEACHER and mean_curve(row.records) is not None]
    column = dataset.columns[0].title
    plots = []
    if rows:
        cost = {row.name: float(row.number('params') or 0) / 1e6 for row in rows}
        plots.append(
            Plot(
                f'{dataset.name}/accuracy-parameters.png',
                f'{column} against parameters',
                lambda axes: draw_scatter(axes, dataset, rows, cost, 'parameters, millions'),
            )
        )
    if fast:
        latencies = {row.name: float(row.latency_ms or 0) for row in fast}
        plots.append(
            Plot(
                f'{dataset.name}/accuracy-latency.png',
                f'{column} against latency',
                lambda axes: draw_scatter(axes, dataset, fast, latencies, 'ms an input, ONNX Runtime'),
            )
        )
    if timed:
        times = {row.name: float(row.step_ms or 0) for row in timed}
        plots.append(
            Plot(
                f'{dataset.name}/accuracy-time.png',
                f'{column} against the time of a training step',
                lambda axes: draw_scatter(axes, dataset, timed, times, 'ms a training step'),
            )
        )
    if curves:
        plots.append(
            Plot(
                f'{dataset.name}/learning-curves.png',
                'task loss of the core rows, mean and range of the runs',
                lambda axes: draw_curves(axes, curves),
            )
        )
    return plots


def write_plots(suite: Suite, state: State, folder: Path) -> None:
    """Draw every plot of a suite for which there are numbers.

    Args:
        suite: the suite.
        state: what has been measured.
        folder: of the suite's documents.
    """
    from matplotlib.figure import Figure

    for dataset in suite.datasets:
        for plot in plots_of(suite, dataset, state):
            figure = Figure(figsize=(7.0, 4.2), dpi=90, layout='constrained')
            axes = figure.add_subplot()
            plot.draw(axes)
            axes.set_title(f'{dataset.title}: {plot.title}', fontsize=9, loc='left')
            axes.grid(alpha=0.25)
            axes.spines[['top', 'right']].set_visible(False)
            content = io.BytesIO()
            figure.savefig(content, format='png')
            with atomic_write(folder / plot.name) as file:
                file.write(content.getvalue())


def draw_scatter(axes: Any, dataset: Dataset, rows: Sequence[Row], cost: Mapping[str, float], label: str) -> None:
    """Draw a point a row, with its standard deviation; rows of equal cost stand side by side.

    Args:
        axes: of matplotlib.
        dataset: whose first column is shown.
        rows: with runs.
        cost: place on the x axis by row.
        label: of the x axis.
    """
    column = dataset.columns[0]
    places = side_by_side(cost)
    for number, row in enumerate(rows):
        spread = row.spread(dataset, column)
        if spread is None:
            continue
        colour = GREY if row.name == TEACHER else COLOURS[number % len(COLOURS)]
        shape = 's' if row.name == TEACHER else SHAPES[number // len(COLOURS) % len(SHAPES)]
        style = dict(fmt=shape, markersize=5, capsize=2, color=colour, label=row.title)
        axes.errorbar(places[row.name], spread.mean, spread.std or 0, **style)
    axes.set_xlabel(label)
    axes.set_ylabel(f'{column.title}, {kind_of(dataset).unit}')
    axes.legend(fontsize=6, frameon=False, loc='center left', bbox_to_anchor=(1.0, 0.5))


def side_by_side(cost: Mapping[str, float]) -> dict[str, float]:
    """Return places on an axis where rows of equal cost do not hide each other.

    Example:
        >>> side_by_side({'a': 1.0, 'b': 1.0, 'c': 3.0})
        {'a': 0.985, 'b': 1.015, 'c': 3.0}
    """
    step = GAP * (max(cost.values()) - min(cost.values()) or 1.0)
    places = {}
    for name, value in cost.items():
        equal = [other for other in cost if cost[other] == value]
        places[name] = value + step * (equal.index(name) - (len(equal) - 1) / 2)
    return places


def draw_curves(axes: Any, rows: Sequence[Row]) -> None:
    """Draw the mean learning curve of each row, and the range of its runs as a band."""
    for number, row in enumerate(rows):
        curve = mean_curve(row.records)
        if curve is None:
            continue
        steps, mean, low, high = curve
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(steps, mean, color=colour, linewidth=1.3, label=row.title)
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel('iteration')
    axes.set_ylabel('task loss')
    axes.set_yscale('log')
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('{x:g}')
    axes.legend(fontsize=6, frameon=False)


def mean_curve(
    records: Mapping[int, Mapping[str, Any]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Return iterations, mean, lowest and highest loss, where all runs have a point; None where there is no such."""
    curves = [{int(step): float(loss) for step, loss in record['curve']} for record in records.values()]
    steps = sorted(set.intersection(*map(set, curves))) if curves else []
    if not steps:
        return None
    losses = np.array([[curve[step] for step in steps] for curve in curves])  # (runs, points)
    return np.array(steps), losses.mean(axis=0), losses.min(axis=0), losses.max(axis=0)
