"""One run: which config with which changes, on which data; and the fingerprint that says whether a result is of it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from pointkd.core.errors import ConfigError
from pointkd.io.blocks import is_read
from pointkd.io.config import find_config
from pointkd.io.options import apply_options, parse_value
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import TEACHER, Arm, Dataset, Numerics, Schedule
from pointkd.report.results.suite import Suite

# What a config says about logs, processes and validation changes no result.
WITHOUT_EFFECT = {
    *('val_dataloader', 'val_cfg', 'val_evaluator', 'default_hooks', 'log_processor', 'log_level', 'visualizer'),
    *('env_cfg', 'work_dir', 'launcher', 'resume', 'experiment_name', 'custom_imports', 'auto_scale_lr'),
    *('num_workers', 'persistent_workers', 'prefetch_factor', 'save_iterations', 'save_minutes'),
}
# What has no say in an evaluation of weights that exist.
TRAINING = {'train_cfg', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'reliability', 'custom_hooks'}
LAYOUT_HOOK = 'pointkd.report.results.layout.ChannelsLastHook'
CURVE_POINTS = 50
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
    iterations = max(1, round(dataset.schedule.iterations * factor))
    name = suite.teacher_of(dataset, arm)
    options = {
        **training_options(dataset.schedule, iterations),
        **layout_options(suite.numerics),
        **dataset.options,
        **distill_options(suite, name, arm),
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
    )


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


def training_options(schedule: Schedule, iterations: int) -> dict[str, Any]:
    """Return the changes that give any config this schedule: by iterations, without validation, easy to resume."""
    interval = max(1, iterations // CURVE_POINTS)
    rate = dict(type='OneCycleLR', eta_max=schedule.peak, total_steps=iterations, pct_start=schedule.rise)
    return {
        'train_cfg': dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations),
        'train_dataloader.batch_size': schedule.batch_size,
        '+param_scheduler': [dict(rate, div_factor=10, by_epoch=False)],
        'val_cfg': None,
        'val_dataloader': None,
        'val_evaluator': None,
        '+default_hooks.checkpoint': dict(type='CheckpointHook', by_epoch=False, interval=iterations, max_keep_ckpts=1),
        '+default_hooks.logger': dict(type='LoggerHook', interval=interval),
        '+log_processor': dict(type='LogProcessor', window_size=interval, by_epoch=False),
        '+reliability.save_iterations': max(1, iterations // 10),
    }


def layout_options(numerics: Numerics) -> dict[str, Any]:
    """Return the change that lays float32 weights out channels-last; mixed precision does so by itself."""
    if numerics.precision == 'bf16' or numerics.memory_format == 'contiguous':
        return {}
    return {'+default_hooks.layout': dict(type=LAYOUT_HOOK)}


def distill_options(suite: Suite, teacher: str | None, arm: Arm) -> dict[str, Any]:
    """Return the change that makes a student learn from a teacher by an arm's methods."""
    if teacher is None:
        return {}
    entry = suite.teachers[teacher]
    home = suite.dataset(entry.dataset)
    block = dict(
        config=home.config(entry.config),
        checkpoint=suite.teacher_file(teacher),
        options=option_words({**home.options, **entry.options}),
    )
    return {'+distill': dict(teacher=block, methods=arm.methods)}


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Return changes as they are written behind `--cfg-options`.

    Raises:
        ConfigError: a value that can't be written there, such as a function.

    Example:
        >>> option_words({'train_cfg.max_iters': 5, '+distill': {'methods': []}})
        ['train_cfg.max_iters=5', "+distill={'methods': []}"]
    """
    words = []
    for key, value in options.items():
        text = re.sub(r'\binf\b', '1e999', repr(value)) if _has_infinity(value) else repr(value)
        if parse_value(text) != value:
            raise ConfigError(f'{key}: {value!r} can not be written as an option; use numbers, texts, lists and dicts')
        words.append(f'{key}={text}')
    return words


def _has_infinity(value: Any) -> bool:
    """Return whether an infinite number is somewhere in nested containers."""
    if isinstance(value, Mapping):
        return any(_has_infinity(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return any(_has_infinity(entry) for entry in value)
    return isinstance(value, float) and math.isinf(value)


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
