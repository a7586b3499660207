"""Which runs a suite has, in which order, which of them are done, and how long the others will take."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pointkd.core.errors import DataError
from pointkd.report.results.jobs import Job, arm_job, teacher_job
from pointkd.report.results.parts import CORE, EXTENSION, TEACHER, Arm, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.records import read_json, read_record
from pointkd.report.results.suite import Suite

DONE, STALE, MISSING, BLOCKED = 'done', 'stale', 'missing', 'blocked'
OVERHEAD_S = 40.0  # of a run beside its iterations: starting three processes, evaluation


@dataclass(frozen=True)
class Run:
    """A run of a suite and how it stands.

    Attributes:
        dataset: name.
        row: name of the arm, or 'teacher'.
        seed: of the run.
        group: 'core' or 'extension'.
        job: what to do; None where it can't be said yet.
        state: 'done'; 'stale': its JSON is of another config; 'missing'; 'blocked': something must be made first.
        reason: what blocks it.
        record: its JSON, where there is one.
    """

    dataset: str
    row: str
    seed: int
    group: str
    job: Job | None
    state: str
    reason: str = ''
    record: Mapping[str, Any] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f'{self.dataset} {self.row} seed {self.seed}'


@dataclass
class State:
    """What has been measured so far.

    Attributes:
        records: of runs, by (data set, row, seed).
        calibration: content of calibration.json.
        tuning: content of tuning.json.
        latency: content of latency.json.
    """

    records: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    tuning: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, places: Places) -> State:
        """Read the JSONs of a suite.

        Raises:
            DataError: one is broken.
        """
        state = cls()
        for path in places.records():
            record = read_record(path)
            key = (record['dataset'], record['row'], record['seed'])
            if places.record(*key) != path:
                raise DataError(f'{path}: holds the run {" ".join(map(str, key))}, which belongs elsewhere')
            state.records[key] = record
        state.calibration = read_json(places.calibration) if places.calibration.is_file() else {}
        state.tuning = read_json(places.tuning) if places.tuning.is_file() else {}
        state.latency = read_json(places.latency) if places.latency.is_file() else {}
        return state

    def of(self, dataset: str, row: str) -> dict[int, dict[str, Any]]:
        """Return the records of a row by seed."""
        return {seed: record for (d, r, seed), record in sorted(self.records.items()) if (d, r) == (dataset, row)}

    def step_ms(self, dataset: str, row: str) -> float | None:
        """Return the calibrated milliseconds of a row's training step."""
        return _milliseconds(self.calibration, dataset, row)

    def latency_ms(self, dataset: str, row: str) -> float | None:
        """Return the milliseconds that a row's network takes for one input."""
        return _milliseconds(self.latency, dataset, row)


def plan(suite: Suite, places: Places, state: State, seeds: int | None = None) -> list[Run]:
    """Return the runs of a suite in the order in which they are made.

    Teachers come first. Core rows follow seed by seed, so that every row has seed 0 before any has seed 1; extension
    rows follow row by row, those of extension data sets last.

    Args:
        suite: the suite.
        places: its files.
        state: what has been measured.
        seeds: runs of each row, in place of the suite's numbers.
    """
    runs = [*_teachers(suite, places, state)]
    for dataset, arm, seed in ordered(suite, seeds):
        runs.append(_run(suite, places, state, dataset, arm, seed))
    return runs


def ordered(suite: Suite, seeds: int | None = None) -> Iterator[tuple[Dataset, Arm, int]]:
    """Yield data set, arm and seed of every training, in order (see `plan`)."""
    pairs = [(dataset, arm) for dataset in suite.datasets for arm in suite.arms_of(dataset)]
    core = [pair for pair in pairs if group_of(*pair) == CORE]

    def number(arm: Arm) -> int:
        return seeds or arm.seeds or suite.seeds

    for seed in range(max((number(arm) for _, arm in core), default=0)):
        yield from ((dataset, arm, seed) for dataset, arm in core if seed < number(arm))
    extension = [pair for pair in pairs if group_of(*pair) == EXTENSION]
    places = [arm.name for arm in suite.arms]
    for dataset, arm in sorted(extension, key=lambda pair: (pair[0].group == EXTENSION, places.index(pair[1].name))):
        yield from ((dataset, arm, seed) for seed in range(number(arm)))


def group_of(dataset: Dataset, arm: Arm) -> str:
    """Return whether a row is a core row: both its arm and its data set are core."""
    return CORE if dataset.group == arm.group == CORE else EXTENSION


def resolved_job(suite: Suite, state: State, dataset: Dataset, arm: Arm, seed: int) -> Job | str:
    """Return the job of a run, or what must be done first to know it."""
    chosen: Mapping[str, Any] = {}
    if arm.tuned:
        tried = state.tuning.get(dataset.name, {}).get(arm.name)
        if tried is None:
            return f'run --tune {arm.name} --dataset {dataset.name} first'
        chosen = tried['chosen']
    factor = time_factor(state, dataset.name, arm)
    if factor is None:
        return f'run --calibrate --dataset {dataset.name} first: its iterations depend on step times'
    teacher = suite.teacher_of(dataset, arm)
    if teacher and suite.teachers[teacher].sha256 is None:
        return f'run --make-teacher {teacher} first, and write its sha256 into the suite'
    return arm_job(suite, dataset, arm, seed, factor=factor, chosen=chosen)


def time_factor(state: State, dataset: str, arm: Arm) -> float | None:
    """Return by how much an arm trains longer than the schedule says, None where it takes a calibration to know.

    The first run of an equal-time row fixes its factor: all its seeds train equally long, also if step times are
    measured again.
    """
    if arm.equal_time_to is None:
        return 1.0
    first = next(iter(state.of(dataset, arm.name).values()), None)
    if first is not None:
        return float(first['factor'])
    own, other = state.step_ms(dataset, arm.name), state.step_ms(dataset, arm.equal_time_to)
    return round(other / own, 3) if own and other else None


def seconds_left(runs: Sequence[Run], state: State) -> tuple[float, int]:
    """Return the expected seconds of the runs that are not done, and the number of those nothing is known about.

    Args:
        runs: of the suite.
        state: what has been measured.
    """
    expected = [expected_seconds(run, state) for run in runs if run.state in (MISSING, STALE)]
    return sum(value for value in expected if value is not None), sum(value is None for value in expected)


def expected_seconds(run: Run, state: State) -> float | None:
    """Return how long a run will take: by the calibration, else by runs that are done; None where neither is there."""
    if run.job is None:
        return None
    if not run.job.iterations:
        return OVERHEAD_S
    step = state.step_ms(run.dataset, run.row)
    if step is not None:
        return OVERHEAD_S + step / 1e3 * run.job.iterations
    done = [record for (dataset, _, _), record in state.records.items() if dataset == run.dataset]
    paces = [
        record['train_seconds'] / record['iterations']
        for record in done
        if record['train_seconds'] and record['iterations']
    ]
    return OVERHEAD_S + statistics.median(paces) * run.job.iterations if paces else None


def _milliseconds(measured: Mapping[str, Any], dataset: str, row: str) -> float | None:
    """Return the time of a row, None where it was not measured."""
    entry = measured.get('datasets', {}).get(dataset, {}).get(row)
    return None if entry is None else float(entry['ms'])


def _teachers(suite: Suite, places: Places, state: State) -> Iterator[Run]:
    """Yield the evaluations of the data sets' teachers."""
    for dataset in suite.datasets:
        if dataset.teacher is None:
            continue
        job = teacher_job(suite, dataset, dataset.teacher)
        key = (dataset.name, TEACHER, job.seed)
        if job.sha256 is None:
            reason = f'run --make-teacher {dataset.teacher} first, and write its sha256 into the suite'
            yield Run(*key, dataset.group, None, BLOCKED, reason, state.records.get(key))
        else:
            yield _with_state(places, state, key, dataset.group, job)


def _run(suite: Suite, places: Places, state: State, dataset: Dataset, arm: Arm, seed: int) -> Run:
    """Return the run of a row and how it stands."""
    key, group = (dataset.name, arm.name, seed), group_of(dataset, arm)
    job = resolved_job(suite, state, dataset, arm, seed)
    if isinstance(job, str):
        return Run(*key, group, None, BLOCKED, job, state.records.get(key))
    return _with_state(places, state, key, group, job)


def _with_state(places: Places, state: State, key: tuple[str, str, int], group: str, job: Job) -> Run:
    """Return a run whose job is known, done where its JSON has the job's fingerprint."""
    record = state.records.get(key)
    if record is None:
        return Run(*key, group, job, MISSING)
    same = record['config'] == job.fingerprint(places.home)
    return Run(*key, group, job, DONE if same else STALE, record=record)
