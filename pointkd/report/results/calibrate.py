"""Measures the time of a training step of every row, in turns, with nothing else running."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pointkd.core.errors import TrainingError
from pointkd.export.latency import BUSY
from pointkd.report.results.data import prepare
from pointkd.report.results.jobs import Job, arm_job
from pointkd.report.results.parts import Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
from pointkd.report.results.processes import die_with_parent, environment
from pointkd.report.results.records import write_compact
from pointkd.report.results.runs import provenance
from pointkd.report.results.stepper import SKIPPED, Request
from pointkd.report.results.suite import Suite
from pointkd.report.results.teachers import check_teacher

BLOCKS, STEPS = 5, 10  # of every row: 50 steps that count
TOGETHER = 8  # rows whose processes are alive at once: about 1 GB each


class Block(Protocol):
    """A training that makes a block of steps when it is called."""

    def __call__(self) -> Mapping[str, Any]:
        """Return `seconds` of the steps and `peak_mb`."""


def calibrate(
    suite: Suite,
    places: Places,
    dataset: Dataset,
    given: Mapping[str, Path],
    say: Callable[[str], None],
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Time every row of a data set, or some, and write calibration.json.

    Each row trains in a process of its own; they take turns, a block of steps each, so that what disturbs the machine
    disturbs all alike. Eight rows are alive at once. Rows whose teacher has not been made are left out.

    Args:
        suite: the suite.
        places: its files.
        dataset: the data set.
        given: folders of the user's data, by data set.
        say: prints a line.
        only: names of rows; none for all. What was measured of others stays, so name the control, too, to see whether
            the machine is as fast as it was.

    Returns:
        Milliseconds and memory by row.

    Raises:
        TrainingError: a training failed.
    """
    load = os.getloadavg()[0]
    if load > BUSY:
        say(f'warning: the machine is busy (load average {load:.2f}): steps will be long, and may not compare')
    data = prepare(places, dataset, given, say)
    jobs = {}
    for arm in suite.arms_of(dataset):
        if only and arm.name not in only:
            continue
        lacking = suite.teacher_of(dataset, arm)
        if lacking and suite.teachers[lacking].sha256 is None:
            say(f'{dataset.name} {arm.name}: left out, teacher {lacking} has not been made')
        else:
            jobs[arm.name] = arm_job(suite, dataset, arm, 0)
    for teacher in {job.teacher for job in jobs.values() if job.teacher}:
        check_teacher(places, suite, teacher)
    rows: dict[str, dict[str, float]] = {}
    for names in batched(jobs, TOGETHER):
        with started({name: jobs[name] for name in names}, places, data, say) as blocks:
            rows.update(in_turns(blocks, BLOCKS))
    content = State.read(places).calibration
    measured = content.setdefault('datasets', {})
    measured[dataset.name] = {**measured.get(dataset.name, {}), **rows} if only else rows
    content.setdefault('measured', {})[dataset.name] = {
        **provenance(places.home),
        'numerics': asdict(suite.numerics),
        'batch_size': dataset.schedule.batch_size,
        'steps': BLOCKS * STEPS,
        'load_average': round(load, 2),
    }
    write_compact(places.calibration, content)
    return rows


def in_turns(blocks: Mapping[str, Block], rounds: int) -> dict[str, dict[str, float]]:
    """Let trainings take turns; return the median and 90th percentile of a step in ms, and the peak memory in MB.

    Args:
        blocks: a training a row.
        rounds: blocks of each.
    """
    seconds: dict[str, list[float]] = {name: [] for name in blocks}
    peaks = dict.fromkeys(blocks, 0.0)
    for _ in range(rounds):
        for name, block in blocks.items():
            answer = block()
            seconds[name] += answer['seconds']
            peaks[name] = max(peaks[name], answer['peak_mb'])
    return {
        name: {
            'ms': round(float(np.median(values)) * 1e3, 1),
            'p90_ms': round(float(np.percentile(values, 90)) * 1e3, 1),
            'peak_mb': round(peaks[name]),
        }
        for name, values in seconds.items()
    }


def batched(names: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """Yield names in groups of a size, the last one smaller.

    Example:
        >>> list(batched('abc', 2))
        [('a', 'b'), ('c',)]
    """
    rest = iter(names)
    while group := tuple(itertools.islice(rest, size)):
        yield group


@contextmanager
def started(
    jobs: Mapping[str, Job], places: Places, data: Path, say: Callable[[str], None]
) -> Iterator[dict[str, Block]]:
    """Start a process for each job, ready to step; all are ended with the block."""
    steppers: list[Stepper] = []
    try:
        blocks: dict[str, Block] = {}
        for name, job in jobs.items():
            say(f'starting {job.dataset.name} {name}')
            steppers.append(Stepper(job, places, data))
            steppers[-1]()  # a block that does not count: it builds everything
            blocks[name] = steppers[-1]
        yield blocks
    finally:
        for stepper in steppers:
            stepper.end()


class Stepper:
    """A training in a process of its own, called for each block of steps.

    Args:
        job: what to train.
        places: of the suite.
        data: the data set as training reads it.
    """

    def __init__(self, job: Job, places: Places, data: Path) -> None:
        self.name = f'{job.dataset.name} {job.row}'
        folder = places.work / 'calibration' / job.dataset.name / job.row
        folder.mkdir(parents=True, exist_ok=True)
        request = Request(
            config=str(places.home / job.config),
            options=stepping_words(job, data),
            data=str(data),
            folder=str(folder),
            amp=job.numerics.precision == 'bf16',
            blocks=BLOCKS + 1,
            steps=STEPS,
        )
        self.output = folder / 'output.txt'
        with open(self.output, 'w', encoding='utf-8') as file:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'pointkd.report.results.stepper', json.dumps(asdict(request))],
                cwd=places.home,
                env=environment(job.numerics.threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                preexec_fn=die_with_parent,
            )

    def __call__(self) -> Mapping[str, Any]:
        """Make a block of steps.

        Raises:
            TrainingError: the training has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write('go\n')
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ''
        if not line:
            raise TrainingError(f'{self.name}: the training to be timed has ended; why stands in {self.output}')
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def stepping_words(job: Job, data: Path) -> list[str]:
    """Return the changes of a job's config for a run as long as its blocks, without checkpoints on the way."""
    iterations = (BLOCKS + 1) * (STEPS + SKIPPED)
    quiet = {
        'train_cfg.max_iters': iterations,
        'param_scheduler.0.total_steps': iterations,
        '+reliability.save_iterations': None,
        '+reliability.save_minutes': None,
        '+default_hooks.logger': dict(type='LoggerHook', interval=STEPS),
    }
    return replace(job, options={**job.options, **quiet}).words(data)
