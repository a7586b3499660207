"""Images with boxes or masks: the metrics of the config's own evaluator, as `pointkd test` writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import DataError, nearest
from pointkd.report.results.kinds.base import Metrics
from pointkd.report.results.parts import Column, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.processes import run_verb
from pointkd.report.results.records import read_json

WRITTEN = 'test/metrics.json'  # in a work folder


class Images:
    """Images of a camera; the suite says which changes of a config choose a part, and which metrics are columns."""

    meaning = 'The metrics of the evaluator, in percent,'
    unit = 'percent'

    def check_source(self, dataset: Dataset, folder: Path) -> str | None:
        """Return what is missing: the folder."""
        return None if folder.is_dir() else f'there is no folder {folder}'

    def prepare(self, places: Places, dataset: Dataset, source: Path | None, folder: Path) -> None:
        """Run the commands that make data and prepare them; a data set may need either, both or none."""
        folder.mkdir(parents=True, exist_ok=True)
        commands = [f'{dataset.make} --out {folder}'] if dataset.make is not None else []
        commands += [dataset.prepare.format(root=source or folder, out=folder)] if dataset.prepare else []
        for command in commands:
            run_verb(command.split(), home=places.home, threads=1, output=places.work / 'data.txt')

    def part_options(self, dataset: Dataset, part: str, data: Path | str) -> dict[str, Any]:
        """Return the changes that the suite declares for a part, `{data}` replaced."""
        return {
            key: value.replace('{data}', str(data)) if isinstance(value, str) else value
            for key, value in dataset.parts[part].items()
        }

    def test_words(self, folder: Path) -> list[str]:
        """Return nothing: metrics are always written."""
        return []

    def score(self, dataset: Dataset, data: Path, folder: Path, part: str) -> tuple[Metrics, int]:
        """Return every metric that is a number or undefined, with four decimals."""
        numbers = {
            name: None if value is None else round(float(value), 4)
            for name, value in read_json(folder / WRITTEN).items()
            if value is None or isinstance(value, int | float)
        }
        return numbers, dataset.frames[part]

    def value(self, metrics: Mapping[str, Any], dataset: Dataset, column: Column) -> float:
        """Return a metric; one that is undefined counts as 0."""
        if column.metric not in metrics:
            raise DataError(f'no metric {column.metric!r}: {nearest(column.metric, metrics)}')
        value = metrics[column.metric]
        good = isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 100
        if value is not None and not good:
            raise DataError(f'metric {column.metric} is {value}')
        return float(value or 0.0)
