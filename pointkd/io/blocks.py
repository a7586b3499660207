"""Which names a config's top level may carry for us and for the runner, and what a near miss was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pointkd.core.errors import ConfigError

# Blocks that pointkd reads.
OURS = ('distill', 'reliability')
# What mmengine's runner and the OpenMMLab tools read.
RUNNER = (
    'model',
    'work_dir',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'auto_scale_lr',
    'optim_wrapper',
    'param_scheduler',
    'val_evaluator',
    'test_evaluator',
    'default_hooks',
    'custom_hooks',
    'data_preprocessor',
    'load_from',
    'resume',
    'launcher',
    'env_cfg',
    'log_processor',
    'log_level',
    'visualizer',
    'default_scope',
    'randomness',
    'experiment_name',
    'model_wrapper_cfg',
    'find_unused_parameters',
    'sync_bn',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'compile',
    'custom_imports',
    'tta_model',
    'tta_pipeline',
)
# How alike a name must be to be taken for a slip. Stock configs have variables such as `test_pipeline`, none like ours.
ALIKE_OURS, ALIKE_RUNNER = 0.7, 0.9


def is_read(name: str) -> bool:
    """Return whether anything reads a top-level name after the config file has been loaded."""
    return name in OURS or name in RUNNER


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse a top-level name that is nearly one that is read.

    Config files may have variables of any name; one that differs from a block's name by a letter or two is a typing
    error which would silently do nothing.

    Raises:
        ConfigError: such a name, with the right one.
    """
    present = set(names)
    for name in sorted(present):
        if is_read(name):
            continue
        close = difflib.get_close_matches(name, OURS, n=1, cutoff=ALIKE_OURS)
        close += difflib.get_close_matches(name, RUNNER, n=1, cutoff=ALIKE_RUNNER)
        meant = [word for word in close if word not in present]
        if meant:
            raise ConfigError(f'{where}: nothing reads the block {name!r}: did you mean {meant[0]!r}?')
