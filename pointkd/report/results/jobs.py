"""One run: which config with which changes, on which data; and the fingerprint that says whether a result is of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pointkd.core.errors import ConfigError
from pointkd.io.blocks import is_read
from pointkd.io.config import find_config
from pointkd.io.options import apply_options
from pointkd.report.results.changes import RUN, distill_options, layout_options, option_words, training_options
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import TEACHER, Arm, Dataset, Numerics, Start
from pointkd.report.results.suite import Suite

# What a config says about logs, processes and validation changes no result.
WITHOUT_EFFECT = {
    *('val_dataloader', 'val_cfg', 'val_evaluator', 'default_hooks', 'log_processor', 'log_level', 'visualizer'),
    *('env_cfg', 'work_dir', 'launcher', 'resume', 'experiment_name', 'custom_imports', 'auto_scale_lr'),
    *('num_workers', 'persistent_workers', 'prefetch_factor', 'save_iterations', 'save_minutes'),
}
# What has no say in an evaluation of weights that exist.
TRAINING = {'train_cfg', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'reliability', 'custom_hooks'}
ANYWHERE = 'DATA'  # stands for the data folder in fingerprints


@dataclass(frozen=True)
class Job:
    """A training (or only an evaluation) with everything that decides its result.

    Attributes:
        dataset: the data set.
        row: name of the arm, or 'teacher'.
        seed: of weights, order and augmentation.
        config: config file, below the checkout.
        options: changes of the config by dotted key, without any path of this machine.
        iterations: of the training; 0 where weights that exist are evaluated.
        teacher: name of the teacher whose weights are read.
        weights: file of these weights, below the checkout.
        sha256: of this file.
        numerics: how it computes.
        part: 'test' or 'val': the frames that it is evaluated on.
        factor: of the data set's number of iterations.
        start: where the training starts, if not from scratch.
        origin: the run, of another row, that `start` names.
        mentor: the run, of another row, that the distilled row learns from.
        own: the changes that belong to the network and its data, not to the schedule.
    """

    dataset: Dataset
    row: str
    seed: int
    config: str
    options: dict[str, Any]
    iterations: int
    numerics: Numerics
    teacher: str | None = None
    weights: str | None = None
    sha256: str | None = None
    part: str = 'test'
    factor: float = field(default=1.0, compare=False)
    start: Start | None = None
    origin: Job | None = None
    mentor: Job | None = None
    own: dict[str, Any] = field(default_factory=dict)

    def words(self, data: Path | str) -> list[str]:
        """Return what follows `--cfg-options`.

        Args:
            data: the data set as training reads it.
        """
        return option_words({**self.options, **kind_of(self.dataset).part_options(self.dataset, self.part, data)})

    def resolved(self, home: Path) -> Config:
        """Return the config with its changes, paths as the files have them."""
        return resolve(home, self.config, self.words(ANYWHERE))

    def fingerprint(self, home: Path) -> str:
        """Return 16 hex digits that differ where anything that decides the result does; the seed is not in them."""
        data = {key: getattr(self.dataset, key) for key in ('make', 'frames', 'lists', 'prepare')}
        config = effective(self.resolved(home)._cfg_dict)
        if not self.iterations:
            config = {key: value for key, value in config.items() if key not in TRAINING}
        content = {
            'config': config,
            'data': {**data, 'part': self.part},
            'numerics': asdict(self.numerics),
            'teacher': self.sha256,
        }
        if self.start is not None and self.origin is not None:
            content['start'] = {**asdict(self.start), 'run': self.origin.fingerprint(home)}
        if self.mentor is not None:
            content['mentor'] = self.mentor.fingerprint(home)
        text = json.dumps(content, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def arm_job(
    suite: Suite,
    dataset: Dataset,
    arm: Arm,
    seed: int,
    *,
    factor: float = 1.0,
    chosen: Mapping[str, Any] | None = None,
    part: str = 'test',
) -> Job:
    """Return the run of a row.

    Args:
        suite: the suite.
        dataset: one of its data sets.
        arm: one of its rows.
        seed: of the run.
        factor: of the data set's iterations.
        chosen: changes that tuning has chosen, or tries.
        part: frames of the evaluation.
    """
    iterations = max(1, round(dataset.schedule.iterations * factor * arm.longer))
    name = suite.teacher_of(dataset, arm)

    def run_of(other: str) -> Job:
        return arm_job(suite, dataset, suite.arm(other), seed, part=part)

    mentor = run_of(arm.learns_from) if arm.learns_from else None
    options = {
        **training_options(dataset.schedule, iterations),
        **layout_options(suite.numerics),
        **dataset.options,
        **(distill_options(mentor.config, RUN.format(mentor.row), mentor.own, arm) if mentor else {}),
        **(suite_distill_options(suite, name, arm) if name else {}),
        **arm.options,
        **(chosen or {}),
    }
    return Job(
        dataset=dataset,
        row=arm.name,
        seed=seed,
        config=dataset.config(arm.config),
        options=options,
        iterations=iterations,
        numerics=suite.numerics,
        teacher=name,
        weights=suite.teacher_file(name) if name else None,
        sha256=suite.teachers[name].sha256 if name else None,
        part=part,
        factor=factor,
        start=arm.start,
        origin=run_of(arm.start.arm) if arm.start else None,
        mentor=mentor,
        own={**dataset.options, **arm.options},
    )


def suite_distill_options(suite: Suite, teacher: str, arm: Arm) -> dict[str, Any]:
    """Return the change that makes a student learn from one of the suite's teachers."""
    entry = suite.teachers[teacher]
    home = suite.dataset(entry.dataset)
    options = {**home.options, **entry.options}
    return distill_options(home.config(entry.config), suite.teacher_file(teacher), options, arm)


def teacher_job(suite: Suite, dataset: Dataset, name: str) -> Job:
    """Return the evaluation of a data set's teacher on its test frames."""
    teacher = suite.teachers[name]
    return Job(
        dataset=dataset,
        row=TEACHER,
        seed=teacher.seed,
        config=dataset.config(teacher.config),
        options={**dataset.options, **teacher.options},
        iterations=0,
        numerics=suite.numerics,
        teacher=name,
        weights=suite.teacher_file(name),
        sha256=teacher.sha256,
    )


def teaching_job(suite: Suite, name: str) -> Job:
    """Return the training of a teacher, evaluated on the validation frames.

    Raises:
        ConfigError: another command makes this teacher.
    """
    teacher = suite.teachers[name]
    if teacher.schedule is None:
        raise ConfigError(f'teacher {name!r}: made by `{teacher.made}`, not by the suite')
    dataset = suite.dataset(teacher.dataset)
    options = {
        **training_options(teacher.schedule, teacher.schedule.iterations),
        **layout_options(suite.numerics),
        **dataset.options,
        **teacher.options,
    }
    return Job(
        dataset=dataset,
        row=name,
        seed=teacher.seed,
        config=dataset.config(teacher.config),
        options=options,
        iterations=teacher.schedule.iterations,
        numerics=suite.numerics,
        part='val',
    )


def resolve(home: Path, config: str, words: list[str]) -> Config:
    """Return a config with changes made, without importing the networks that it names (which takes seconds).

    Raises:
        ConfigError: the file or a key does not exist.
    """
    resolved = Config.fromfile(find_config(home / config), import_custom_modules=False)
    apply_options(resolved._cfg_dict, words)
    return resolved


def effective(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a config decides the result of a training and its evaluation."""
    return {key: _without(value) for key, value in config.items() if is_read(key) and key not in WITHOUT_EFFECT}


def _without(value: Any) -> Any:
    """Return nested containers without the keys that change nothing."""
    if isinstance(value, Mapping):
        return {key: _without(entry) for key, entry in value.items() if key not in WITHOUT_EFFECT}
    return [_without(entry) for entry in value] if isinstance(value, list | tuple) else value
