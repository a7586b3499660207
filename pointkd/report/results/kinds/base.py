"""What every kind of data set answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pointkd.report.results.parts import Column, Dataset
from pointkd.report.results.places import Places

Metrics = dict[str, Any]


class Kind(Protocol):
    """A way to prepare data, to test on a part of it, and to score.

    Attributes:
        meaning: what the numbers of its tables are, as the start of a sentence.
        unit: of a plot's axis.
    """

    meaning: str
    unit: str

    def check_source(self, dataset: Dataset, folder: Path) -> str | None:
        """Return what a folder of the user lacks to be this data set, None where it is fine."""

    def prepare(self, places: Places, dataset: Dataset, source: Path | None, folder: Path) -> None:
        """Make what training reads in a folder.

        Args:
            places: of the suite.
            dataset: the data set.
            source: the user's data; None for data that we make.
            folder: to write to.
        """

    def part_options(self, dataset: Dataset, part: str, data: Path | str) -> dict[str, Any]:
        """Return the changes of a config that have it tested on a part.

        Args:
            dataset: the data set.
            part: 'val' or 'test'.
            data: its folder, as training reads it.
        """

    def test_words(self, folder: Path) -> list[str]:
        """Return more words for `pointkd test`, whose results go below a folder."""

    def score(self, dataset: Dataset, data: Path, folder: Path, part: str) -> tuple[Metrics, int]:
        """Return the metrics of a test, for the record of its run, and the number of its frames.

        Args:
            dataset: the data set.
            data: its folder, as training reads it.
            folder: work folder of the run; `test` in it has what `pointkd test` wrote.
            part: 'val' or 'test'.
        """

    def value(self, metrics: Mapping[str, Any], dataset: Dataset, column: Column) -> float:
        """Return the number of a column from a record's metrics, in percent.

        Raises:
            DataError: it is missing, or is no number from 0 to 100.
        """
