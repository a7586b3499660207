"""The changes of a config that a suite makes: schedule, layout, distillation; and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pointkd.core.errors import ConfigError
from pointkd.io.options import parse_value
from pointkd.report.results.parts import Arm, Numerics, Schedule

RUN = 'WEIGHTS-OF-ROW:{}'  # stands for the weights of another row's run of the same seed
LAYOUT_HOOK = 'pointkd.report.results.layout.ChannelsLastHook'
CURVE_POINTS = 50


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


def distill_options(config: str, checkpoint: str, options: Mapping[str, Any], arm: Arm) -> dict[str, Any]:
    """Return the change that makes a student learn from a teacher by an arm's methods.

    Args:
        config: of the teacher.
        checkpoint: of the teacher.
        options: changes of the teacher's config.
        arm: the row.
    """
    block = dict(config=config, checkpoint=checkpoint, options=option_words(options))
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
