"""Trains a job, and before it the runs of other rows that it starts from or learns from."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pointkd.core.files import write_json
from pointkd.io.plan import Plan
from pointkd.report.results.changes import RUN, option_words
from pointkd.report.results.jobs import Job
from pointkd.report.results.processes import run_verb
from pointkd.report.results.records import read_json

STARTED = 'job.json'  # in a work folder: whose it is
TRAINED = 'trained.json'  # in a work folder: the training has come to its end
OUTPUT = 'output.txt'  # in a work folder: what the commands printed
WEIGHTS = 'last.pth'
PRUNED, PLAN, PRUNED_WEIGHTS = 'pruned', 'plan.json', 'pruned.pth'  # what `pointkd prune` leaves
_LOCKS: dict[Path, threading.RLock] = {}
_LOCKS_LOCK = threading.Lock()


def trained(job: Job, folder: Path, home: Path, data: Path) -> Path:
    """Return the weights of a job, trained as far as they are not; rows that it needs are trained before.

    Args:
        job: what to train.
        folder: its work folder, beside those of the other rows.
        home: the checkout.
        data: the data set as training reads it.
    """
    with _lock(folder):  # two rows that are made at once may need the same one
        claim(folder, {'config': job.fingerprint(home), 'seed': job.seed})
        weights = folder / WEIGHTS
        if not (folder / TRAINED).is_file():
            for earlier in filter(None, (job.origin, job.mentor)):
                trained(earlier, row_folder(folder, earlier.row), home, data)
            train(job, folder, home, data)
            write_json(folder / TRAINED, {'iterations': job.iterations})
        return weights


def row_folder(folder: Path, row: str) -> Path:
    """Return the work folder of another row's run of the same seed."""
    return folder.parents[1] / row / folder.name


def train(job: Job, folder: Path, home: Path, data: Path) -> None:
    """Train to the last iteration, from the last checkpoint where there is one."""
    words = ['train', str(home / job.config), '--work-dir', str(folder), '--data-root', str(data), '--no-pretrained']
    words += ['--seed', str(job.seed)]
    words += ['--amp'] if job.numerics.precision == 'bf16' else []
    words += ['--resume'] if (folder / WEIGHTS).is_file() else []
    words += ['--cfg-options', *network_words(job, folder, home, data), *start_words(job, folder)]
    run_verb(words, home=home, threads=job.numerics.threads, output=folder / OUTPUT)


def network_words(job: Job, folder: Path, home: Path, data: Path) -> list[str]:
    """Return the changes of a job's config, where other rows' weights and the plan of its pruning are known."""
    words = [
        re.sub(f'{RUN.format("")}([^\'"]+)', lambda found: str(row_folder(folder, found[1]) / WEIGHTS), word)
        for word in job.words(data)
    ]
    if job.start is None or not job.start.prune:
        return words
    assert job.origin is not None  # it comes with the start
    pruned = folder / PRUNED
    if not (pruned / PLAN).is_file():
        origin = row_folder(folder, job.origin.row) / WEIGHTS
        verb = ['prune', str(home / job.config), str(origin), *job.start.prune.split(), '--out', str(pruned)]
        verb += ['--runs', '0', '--no-pretrained']
        verb += ['--cfg-options', *option_words(job.origin.own)] if job.origin.own else []
        run_verb(verb, home=home, threads=job.numerics.threads, output=folder / OUTPUT)
    plan = Plan.read(pruned / PLAN).to_config()
    return [*words, *option_words({'+model.plan': plan})]


def start_words(job: Job, folder: Path) -> list[str]:
    """Return the change that loads the weights from which a training starts."""
    if job.start is None:
        return []
    weights = folder / PRUNED / PRUNED_WEIGHTS if job.start.prune else row_folder(folder, job.start.arm) / WEIGHTS
    return option_words({'+load_from': str(weights)})


def claim(folder: Path, identity: Mapping[str, Any]) -> None:
    """Make sure that a work folder belongs to a job: one of another job is deleted."""
    written = folder / STARTED
    if folder.is_dir() and not (written.is_file() and read_json(written) == identity):
        shutil.rmtree(folder)
    write_json(written, identity)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one thread at a time work in a folder."""
    with _LOCKS_LOCK:
        lock = _LOCKS.setdefault(folder, threading.RLock())
    with lock:
        yield
