"""Turns any config, a stock one too, into the settings of our runner: pure dict work, nothing is built."""

from __future__ import annotations

import copy
import inspect
import logging
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from pointkd.core.errors import ConfigError
from pointkd.distill.config import find_file
from pointkd.engine.precision import with_amp
from pointkd.engine.reliability import Reliability
from pointkd.io.build import scope_of

logger = logging.getLogger(__name__)

LOOPS = {'EpochBasedTrainLoop': 'ResumableEpochLoop', 'IterBasedTrainLoop': 'ResumableIterLoop'}
TRAINING = ('train_dataloader', 'train_cfg', 'optim_wrapper')
TESTING = ('test_dataloader', 'test_cfg', 'test_evaluator')


def training_settings(config: Config, work_dir: str | Path, seed: int, amp: bool) -> Config:
    """Return a copy of a config with our loops, hooks and data wrappers in the place of the stock ones.

    Args:
        config: as `load_config` gives it.
        work_dir: where the run writes.
        seed: of everything random.
        amp: mixed precision.

    Raises:
        ConfigError: the config has no training part, or one that we can't run.
    """
    missing = [name for name in TRAINING if not config.get(name)]
    if missing:
        raise ConfigError(f'{config.filename or "config"}: can not be trained: it has no {", ".join(missing)}')
    settings = _copy(config, work_dir)
    reliability = Reliability.parse(settings.get('reliability'))
    settings.randomness = {**settings.get('randomness', {}), 'seed': seed}
    settings.train_cfg = _loop(settings.train_cfg)
    if amp or settings.optim_wrapper.get('type') == 'AmpOptimWrapper':
        settings.optim_wrapper = with_amp(settings.optim_wrapper)
    hooks = settings.get('default_hooks') or {}
    by_epoch = settings.train_cfg.get('type') != 'ResumableIterLoop'
    settings.default_hooks = {**hooks, 'checkpoint': _checkpoint_hook(hooks.get('checkpoint'), reliability, by_epoch)}
    settings.custom_hooks = [
        *(settings.get('custom_hooks') or []),
        dict(type='BadLossHook', limit=reliability.max_bad_losses),
        *_teacher_check(settings.get('distill') or {}),
    ]
    settings.visualizer = _visualizer(settings.get('visualizer'), tensorboard=True)
    return settings


def evaluation_settings(config: Config, work_dir: str | Path) -> Config:
    """Return a copy of a config with only what a test needs.

    Raises:
        ConfigError: the config has no test part.
    """
    missing = [name for name in TESTING if config.get(name) is None]
    if missing:
        raise ConfigError(f'{config.filename or "config"}: can not be tested: it has no {", ".join(missing)}')
    settings = _copy(config, work_dir)
    for name in (*TRAINING, 'param_scheduler', 'val_dataloader', 'val_cfg', 'val_evaluator', 'auto_scale_lr'):
        settings.pop(name, None)
    settings.custom_hooks = []
    settings.load_from = None
    settings.randomness = {**settings.get('randomness', {}), 'seed': 0}
    settings.visualizer = _visualizer(settings.get('visualizer'), tensorboard=False)
    return settings


def with_found_teacher(config: Config) -> Config:
    """Return a config whose teacher's files are absolute paths, so that a copy elsewhere (`config.py`) finds them."""
    teacher = (config.get('distill') or {}).get('teacher')
    if not teacher:
        return config
    found = copy.deepcopy(config)
    for key in ('config', 'checkpoint'):
        found.distill.teacher[key] = str(find_file(teacher[key], config.filename, f'distill.teacher.{key}'))
    return found


def runner_arguments(settings: Config) -> dict[str, Any]:
    """Return the entries of a config that mmengine's runner takes."""
    names = [name for name in inspect.signature(Runner.__init__).parameters if name not in ('self', 'cfg')]
    return {name: settings[name] for name in names if name in settings}


def _copy(config: Config, work_dir: str | Path) -> Config:
    """Return a copy with what training and testing change alike."""
    settings = copy.deepcopy(config)
    settings.work_dir = str(work_dir)
    settings.default_scope = scope_of(config)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = settings.get(name)
        if isinstance(loader, dict):
            _without_workers(loader)
            if name != 'train_dataloader':
                loader['dataset'] = dict(type='NamedDataset', dataset=loader['dataset'])
    return settings


def _without_workers(loader: dict[str, Any]) -> None:
    """Drop what torch refuses where no worker process loads the data."""
    if not loader.get('num_workers'):
        loader.pop('persistent_workers', None)
        loader.pop('prefetch_factor', None)


def _loop(block: dict[str, Any]) -> ConfigDict:
    """Return the `train_cfg` block with our loop in the place of mmengine's."""
    settings = ConfigDict(block)
    if 'type' in settings:
        name = getattr(settings.type, '__name__', str(settings.type)).rpartition('.')[2]
    else:
        name = 'EpochBasedTrainLoop' if settings.pop('by_epoch', True) else 'IterBasedTrainLoop'
    if name not in LOOPS:
        logger.warning('train_cfg.type %s is not one of ours: a killed run will not resume exactly', name)
        return settings
    settings.type = LOOPS[name]
    return settings


def _checkpoint_hook(block: dict[str, Any] | None, reliability: Reliability, by_epoch: bool) -> dict[str, Any]:
    """Return the checkpoint hook's block: what the config asks for, and `last.pth`."""
    settings = dict(block or {'interval': 1, 'by_epoch': by_epoch})
    name = getattr(settings.get('type'), '__name__', str(settings.get('type', 'CheckpointHook'))).rpartition('.')[2]
    if name not in ('CheckpointHook', 'LastCheckpointHook'):
        raise ConfigError(f'default_hooks.checkpoint.type is {name}: pointkd needs its own hook there (CheckpointHook)')
    intervals = {'save_minutes': reliability.save_minutes, 'save_iterations': reliability.save_iterations}
    return {**settings, **intervals, 'type': 'LastCheckpointHook'}


def _teacher_check(distill: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the hook that evaluates the teacher, where the config asks for it."""
    teacher = distill.get('teacher') or {}
    if not teacher.get('check_ap') and teacher.get('min_ap') is None:
        return []
    return [dict(type='TeacherCheckHook', metric=teacher.get('metric'), floor=teacher.get('min_ap'))]


def _visualizer(block: dict[str, Any] | None, tensorboard: bool) -> dict[str, Any]:
    """Return the visualiser's block, nameless (a name would share it between the runs of a process)."""
    settings = dict(block or {'type': 'Visualizer', 'vis_backends': [dict(type='LocalVisBackend')]})
    settings.pop('name', None)
    backends = list(settings.get('vis_backends') or [])
    kinds = [getattr(entry.get('type'), '__name__', str(entry.get('type'))) for entry in backends]
    if tensorboard and 'TensorboardVisBackend' not in kinds:
        backends.append(dict(type='TensorboardVisBackend'))
    settings['vis_backends'] = backends
    return settings
