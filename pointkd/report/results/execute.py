"""Makes the runs of a suite that are missing, one after the other or a few at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointkd.core.errors import CheckpointError, DataError, TrainingError
from pointkd.report.results.data import prepare
from pointkd.report.results.jobs import Job
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.places import Places
from pointkd.report.results.plan import BLOCKED, DONE, Run, State, expected_seconds, plan, seconds_left
from pointkd.report.results.records import write_record
from pointkd.report.results.runs import carry_out
from pointkd.report.results.suite import Suite
from pointkd.report.results.teachers import check_teacher

Say = Callable[[str], None]
_PREPARING = threading.Lock()  # two runs may want the same data at once


@dataclass(frozen=True)
class Choice:
    """Which runs are asked for.

    Attributes:
        arms: names; none for all.
        datasets: names; none for all.
        most: runs to make at most; None for all.
        seeds: runs of each row, in place of the suite's numbers.
        data: folders of the user's data, by data set.
        jobs: runs that are made at once.
    """

    arms: Sequence[str] = ()
    datasets: Sequence[str] = ()
    most: int | None = None
    seeds: int | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    jobs: int = 1

    def of(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs of the rows and data sets asked for."""
        return [
            run
            for run in runs
            if (not self.arms or run.row in self.arms) and (not self.datasets or run.dataset in self.datasets)
        ]


def execute(suite: Suite, places: Places, choice: Choice, say: Say) -> int:
    """Make what is missing; a run that fails is reported, and the others are made.

    Args:
        suite: the suite.
        places: its files.
        choice: which runs.
        say: prints a line.

    Returns:
        Number of runs that failed.
    """
    state = State.read(places)
    runs = choice.of(plan(suite, places, state, choice.seeds))
    for reason in sorted({f'{run.dataset} {run.row}: {run.reason}' for run in runs if run.state == BLOCKED}):
        say(f'left out: {reason}')
    todo = [run for run in runs if run.state not in (DONE, BLOCKED)][: choice.most]

    def attempt(number: int) -> bool:
        run = todo[number]
        say(f'[{number + 1}/{len(todo)}] {run}: {left(todo[number:], state, choice.jobs)}')
        try:
            state.records[run.dataset, run.row, run.seed] = make(suite, places, state, run, choice.data, say)
        except (TrainingError, DataError, CheckpointError) as error:
            say(f'  {run} failed: {error}')
            return False
        return True

    with ThreadPoolExecutor(choice.jobs) as pool:
        results = [pool.submit(attempt, number) for number in range(len(todo))]
        try:
            return sum(not result.result() for result in results)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an interrupt ends what has not begun


def make(suite: Suite, places: Places, state: State, run: Run, given: Mapping[str, Path], say: Say) -> dict[str, Any]:
    """Make one run and write its JSON.

    Raises:
        TrainingError: a command failed.
        CheckpointError: the teacher is not the suite's.
    """
    assert run.job is not None  # blocked runs are never made
    begin = time.monotonic()
    if run.job.teacher is not None:
        check_teacher(places, suite, run.job.teacher)
    with _PREPARING:
        data = prepare(places, run.job.dataset, given, say)
    folder = places.run(run.dataset, run.row, run.seed)
    size = known_size(run.job, state, places)
    record = carry_out(run.job, folder, home=places.home, data=data, losses=suite.losses, size=size)
    record = write_record(places.record(run.dataset, run.row, run.seed), {'suite': suite.name, **record})
    dataset, kind = run.job.dataset, kind_of(run.job.dataset)
    numbers = ', '.join(
        f'{column.title} {kind.value(record["metrics"], dataset, column):.1f}' for column in dataset.columns
    )
    say(f'  {run} done in {spoken(time.monotonic() - begin)}: {numbers}')
    return record


def known_size(job: Job, state: State, places: Places) -> dict[str, int] | None:
    """Return parameters and multiply-adds where another seed of the same config was counted already."""
    fingerprint = job.fingerprint(places.home)
    for record in state.of(job.dataset.name, job.row).values():
        if record['config'] == fingerprint:
            return {'params': record['params'], 'macs': record['macs']}
    return None


def left(runs: Sequence[Run], state: State, jobs: int = 1) -> str:
    """Return in words how long the first of some runs and all of them will take, so many at once."""
    first, (total, unknown) = expected_seconds(runs[0], state), seconds_left(runs, state)
    if first is None:
        return 'no run of this data set has been timed yet'
    rest = f' and {unknown} runs of unknown length' if unknown else ''
    return f'about {spoken(first)}, all that is left about {spoken(total / jobs)}{rest}'


def spoken(seconds: float) -> str:
    """Return a duration in words.

    Example:
        >>> spoken(40), spoken(200), spoken(9000)
        ('40 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 120 else f'{minutes // 60} h {minutes % 60:02d} min'
