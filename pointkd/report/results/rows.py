"""The rows of the tables: what each row's runs say, before it becomes text or a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import TEACHER, Column, Dataset
from pointkd.report.results.plan import State, group_of
from pointkd.report.results.statistics import Difference, Spread, paired_difference, spread
from pointkd.report.results.suite import Suite


@dataclass(frozen=True)
class Row:
    """A row of a data set's tables.

    Attributes:
        name: of the arm, or 'teacher'.
        title: in words.
        group: 'core' or 'extension'.
        records: of its runs, by seed.
        step_ms: calibrated time of a training step, None where it was not measured.
        latency_ms: time of its network for one input, None where it was not measured.
        controls: the rows that it is compared to.
    """

    name: str
    title: str
    group: str
    records: Mapping[int, Mapping[str, Any]]
    step_ms: float | None = None
    latency_ms: float | None = None
    controls: tuple[Row, ...] = ()

    def values(self, dataset: Dataset, column: Column) -> dict[int, float]:
        """Return the number of a column by seed."""
        kind = kind_of(dataset)
        return {seed: kind.value(record['metrics'], dataset, column) for seed, record in self.records.items()}

    def spread(self, dataset: Dataset, column: Column) -> Spread | None:
        """Return mean and deviation of a column, None without runs."""
        return spread(list(self.values(dataset, column).values()))

    def difference(self, control: Row, dataset: Dataset, column: Column) -> Difference | None:
        """Return the paired difference to another row, None where no seed is in both."""
        return paired_difference(self.values(dataset, column), control.values(dataset, column))

    def number(self, name: str) -> int | None:
        """Return `params` or `macs` of the network, None without runs."""
        return next((int(record[name]) for record in self.records.values()), None)


def rows_of(suite: Suite, dataset: Dataset, state: State) -> list[Row]:
    """Return the rows of a data set: its teacher, core rows, extension rows, each in the order of the suite."""
    rows: list[Row] = []
    if dataset.teacher is not None:
        records, latency = state.of(dataset.name, TEACHER), state.latency_ms(dataset.name, TEACHER)
        rows.append(Row(TEACHER, 'teacher', dataset.group, records, latency_ms=latency))
    plain = {
        arm.name: Row(
            name=arm.name,
            title=arm.title,
            group=group_of(dataset, arm),
            records=state.of(dataset.name, arm.name),
            step_ms=state.step_ms(dataset.name, arm.name),
            latency_ms=state.latency_ms(dataset.name, arm.name),
        )
        for arm in suite.arms_of(dataset)
    }
    for arm in suite.arms_of(dataset):
        controls = tuple(plain[name] for name in suite.compared_to(arm) if name in plain)
        rows.append(replace(plain[arm.name], controls=controls))
    return sorted(rows, key=lambda row: row.group)  # core before extension; stable
