"""Carries one job out: train, test, score, count; whatever was done before a kill is not done again."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pointkd.core.errors import DataError
from pointkd.export.latency import processor
from pointkd.report.results.history import History, read_history
from pointkd.report.results.jobs import ANYWHERE, Job, resolve
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.processes import run_verb
from pointkd.report.results.stages import OUTPUT, claim, network_words, trained

NETWORK = 'network.py'  # in a work folder: the config of the network alone
COUNTS = '{\n "params"'  # how the JSON of `pointkd complexity` begins


def carry_out(
    job: Job, folder: Path, *, home: Path, data: Path, losses: list[str], size: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Train and evaluate, going on from what a killed run has left.

    Args:
        job: what to do.
        folder: work folder; what another job left there is deleted.
        home: the checkout.
        data: the data set as training reads it.
        losses: names of the detection losses.
        size: `params` and `macs`, where they are known.

    Returns:
        The record of the run but for the name of its suite.

    Raises:
        TrainingError: a command failed.
    """
    identity = {'config': job.fingerprint(home), 'seed': job.seed}
    made = provenance(home)
    history = History([], {}, 0.0)
    weights = home / str(job.weights)
    if job.iterations:
        weights = trained(job, folder, home, data)
        history = read_history(folder, losses)
    else:
        claim(folder, identity)
    test(job, folder, home, data, weights)
    metrics, frames = kind_of(job.dataset).score(job.dataset, data, folder, job.part)
    return {
        'dataset': job.dataset.name,
        'row': job.row,
        **identity,
        'factor': job.factor,
        'iterations': job.iterations,
        **made,
        'numerics': asdict(job.numerics),
        **(size or count(job, folder, home)),
        'part': job.part,
        'frames': frames,
        'metrics': metrics,
        'train_seconds': history.seconds if job.iterations else None,
        'losses': history.losses,
        'curve': history.curve,
    }


def test(job: Job, folder: Path, home: Path, data: Path, weights: Path) -> None:
    """Evaluate weights on the job's part; what an earlier attempt left is deleted."""
    shutil.rmtree(folder / 'results', ignore_errors=True)
    words = ['test', str(home / job.config), str(weights), *kind_of(job.dataset).test_words(folder)]
    words += ['--work-dir', str(folder / 'test'), '--data-root', str(data), '--no-pretrained']
    words += ['--cfg-options', *network_words(job, folder, home, data)]
    run_verb(words, home=home, threads=job.numerics.threads, output=folder / OUTPUT)


def count(job: Job, folder: Path, home: Path) -> dict[str, int]:
    """Return parameters and multiply-adds of a job's network."""
    config = network_config(job, folder, home, Path(ANYWHERE))
    printed = run_verb(['complexity', str(config), '--json'], home=home, threads=1, output=folder / OUTPUT)
    begin = printed.find(COUNTS)
    if begin < 0:
        raise DataError(f'{folder / OUTPUT}: `pointkd complexity --json` printed no counts')
    counts, _ = json.JSONDecoder().raw_decode(printed[begin:])
    return {'params': counts['params'], 'macs': counts['macs']}


def network_config(job: Job, folder: Path, home: Path, data: Path) -> Path:
    """Write the config of a job's network alone, a pruned one with its plan, into its work folder; return the file."""
    resolved = resolve(home, job.config, network_words(job, folder, home, data))
    resolved.pop('distill', None)
    path = folder / NETWORK
    path.parent.mkdir(parents=True, exist_ok=True)
    resolved.dump(str(path))
    return path


def provenance(home: Path) -> dict[str, str]:
    """Return the code and the machine that a number comes from."""
    return {'commit': commit(home), 'processor': processor(), 'torch': importlib.metadata.version('torch')}


def commit(home: Path) -> str:
    """Return the commit of a checkout, with `+changes` where its code or configs differ from it."""
    environment = {**os.environ, 'GIT_OPTIONAL_LOCKS': '0'}

    def git(*words: str) -> str:
        try:
            done = subprocess.run(['git', *words], cwd=home, env=environment, capture_output=True, text=True)
        except OSError:
            return ''
        return done.stdout.strip() if done.returncode == 0 else ''

    name = git('rev-parse', '--short=12', 'HEAD')
    if not name:
        return 'unknown'
    return name + ('+changes' if git('status', '--porcelain', '--', 'pointkd', 'configs') else '')
