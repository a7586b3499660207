"""Teachers of a suite: small files of weights, the same for every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import CheckpointError, ConfigError, nearest
from pointkd.core.files import sha256
from pointkd.report.results.data import prepare
from pointkd.report.results.jobs import teaching_job
from pointkd.report.results.places import Places
from pointkd.report.results.runs import carry_out
from pointkd.report.results.stages import WEIGHTS
from pointkd.report.results.suite import Suite

MOST_BYTES = 2 * 1000 * 1000


def teacher_problem(places: Places, suite: Suite, name: str) -> str | None:
    """Return what is wrong with a teacher's file, None where it is the one that the suite names."""
    path, wanted = places.home / suite.teacher_file(name), suite.teachers[name].sha256
    command = suite.teachers[name].made or f'pointkd results {suite.name} --make-teacher {name}'
    again = f'make it with `{command}`'
    if wanted is None:
        return f'teacher {name}: {path.name} is there, but the suite has no sha256 of it' if path.is_file() else None
    if not path.is_file():
        return f'teacher {name}: {path} is missing; take it from the repository, or {again}'
    found = sha256(path)
    if found != wanted:
        return f'teacher {name}: {path} has sha256 {found}, the suite says {wanted}; take it from the repository'
    return None


def check_teacher(places: Places, suite: Suite, name: str) -> None:
    """Refuse a teacher that is not the suite's.

    Raises:
        CheckpointError: the file is missing or another one.
    """
    problem = teacher_problem(places, suite, name)
    if problem:
        raise CheckpointError(problem)


def make_teacher(
    suite: Suite, places: Places, name: str, given: Mapping[str, Path], say: Callable[[str], None]
) -> Path:
    """Train a teacher with the suite's numerics and pack its weights; a killed training goes on.

    Args:
        suite: the suite.
        places: its files.
        name: of the teacher.
        given: folders of the user's data, by data set.
        say: prints a line.

    Returns:
        The file.

    Raises:
        ConfigError: no such teacher, or another command makes it.
        CheckpointError: the file would be larger than a repository should carry.
        TrainingError: a command failed.
    """
    if name not in suite.teachers:
        raise ConfigError(f'{suite.name} has no teacher {name!r}: {nearest(name, suite.teachers)}')
    job = teaching_job(suite, name)
    data = prepare(places, job.dataset, given, say)
    folder = places.work / 'teachers' / name
    say(f'training the teacher {name}: {job.iterations} iterations, log in {folder}')
    record = carry_out(job, folder, home=places.home, data=data, losses=suite.losses)
    made = {key: record[key] for key in ('config', 'seed', 'iterations', 'commit', 'processor', 'torch', 'metrics')}
    path = places.home / suite.teacher_file(name)
    pack(folder / WEIGHTS, path, {'suite': suite.name, 'teacher': name, **made})
    say(f'{path} ({path.stat().st_size / 1e6:.2f} MB); write into the suite: sha256={sha256(path)!r}')
    return path


def pack(source: Path, target: Path, made: Mapping[str, Any]) -> None:
    """Write the weights of a checkpoint in half precision.

    Args:
        source: checkpoint.
        target: file of weights.
        made: what they come from, for `meta`.

    Raises:
        CheckpointError: the file would be larger than 2 MB; nothing is written.
    """
    import torch

    from pointkd.io.checkpoints import read_checkpoint, save_checkpoint, weights_of

    state = dict(weights_of(read_checkpoint(source)))
    for name, value in state.items():
        if value.is_floating_point():
            state[name] = value.to(torch.float16)
    size = sum(value.numel() * value.element_size() for value in state.values())
    if size > MOST_BYTES:
        raise CheckpointError(
            f'{target}: would have {size / 1e6:.2f} MB, a teacher in the repository may have {MOST_BYTES / 1e6:.0f}; '
            'choose a narrower or shallower one'
        )
    save_checkpoint(target, {'state_dict': state, 'meta': {'pointkd': dict(made)}})
