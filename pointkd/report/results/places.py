"""Where the files of a suite lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pointkd

CHECKOUT = Path(pointkd.__file__).resolve().parent.parent


@dataclass(frozen=True)
class Places:
    """Files and folders of one suite in a checkout.

    Attributes:
        home: the checkout: it has `configs`, `docs` and `data/teachers`; runs work in its `work_dirs`.
        suite: name.
    """

    home: Path
    suite: str

    @property
    def documents(self) -> Path:
        """Folder of everything that is committed: JSONs, tables, plots."""
        return self.home / 'docs' / 'results' / self.suite

    @property
    def page(self) -> Path:
        """The page that has the tables of all suites."""
        return self.home / 'docs' / 'results.md'

    @property
    def tables(self) -> Path:
        """The suite's tables on their own."""
        return self.documents / 'tables.md'

    @property
    def calibration(self) -> Path:
        """Step times."""
        return self.documents / 'calibration.json'

    @property
    def latency(self) -> Path:
        """Latencies of the rows' networks."""
        return self.documents / 'latency.json'

    @property
    def tuning(self) -> Path:
        """What `--tune` has tried and chosen."""
        return self.documents / 'tuning.json'

    @property
    def work(self) -> Path:
        """Folder of what is being made: never committed."""
        return self.home / 'work_dirs' / 'results' / self.suite

    def record(self, dataset: str, row: str, seed: int) -> Path:
        """JSON of one run."""
        return self.documents / dataset / f'{row}-{seed}.json'

    def run(self, dataset: str, row: str, seed: int) -> Path:
        """Work folder of one run."""
        return self.work / dataset / row / str(seed)

    def trial(self, dataset: str, arm: str, number: int) -> Path:
        """Work folder of one setting that `--tune` tries."""
        return self.work / dataset / 'tune' / arm / str(number)

    def data(self, dataset: str) -> Path:
        """Data set as training reads it."""
        return self.work / 'data' / dataset

    def shown(self, path: Path) -> Path:
        """Return a path as messages show it, below the checkout."""
        return path.relative_to(self.home)

    def records(self) -> list[Path]:
        """Return the JSONs of all runs that there are."""
        return sorted(self.documents.glob('*/*.json'))
