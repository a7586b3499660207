"""Trains what a config describes."""

from __future__ import annotations

import logging
from pathlib import Path

from mmengine.config import Config

from pointkd.engine.bad_frames import BadFrameHook
from pointkd.engine.explain import explained_failures
from pointkd.engine.last_checkpoint import LAST, remove_leftovers
from pointkd.engine.reliability import Reliability
from pointkd.engine.runner import ResumableRunner
from pointkd.engine.setup import runner_arguments, training_settings, with_found_teacher
from pointkd.io.build import scope_of
from pointkd.io.checkpoints import read_checkpoint

logger = logging.getLogger(__name__)


def train(
    config: Config,
    work_dir: str | Path,
    *,
    resume: bool = False,
    seed: int = 0,
    amp: bool = False,
    launcher: str = 'none',
) -> ResumableRunner:
    """Train a config to its end, a distilled student where it has a `distill` block.

    `work_dir` then holds `config.py` (the resolved config; its `model` is the plain net) and `last.pth`, whose
    `state_dict` loads strictly into that net, beside the epoch files that the config asks for.

    Args:
        config: as `pointkd.io.config.load_config` gives it; it is not changed.
        work_dir: where the run writes.
        resume: go on from `last.pth`; a folder without one starts from the beginning.
        seed: of weights, order and augmentation; a resumed run keeps its own.
        amp: mixed precision: bf16 on the CPU, mmengine's on CUDA.
        launcher: `'none'`, `'pytorch'` (torchrun) or `'slurm'`.

    Returns:
        The runner, after its last iteration.

    Raises:
        ConfigError, DataError, CheckpointError, TrainingError, StorageError: with what to do.
    """
    with explained_failures(scope_of(config)):
        runner = build_runner(config, work_dir, resume=resume, seed=seed, amp=amp, launcher=launcher)
        try:
            runner.train()
        except KeyboardInterrupt:
            runner.logger.info(f'stopped at iteration {runner.iter}; --resume goes on from the last checkpoint')
            raise
    return runner


def build_runner(
    config: Config,
    work_dir: str | Path,
    *,
    resume: bool = False,
    seed: int = 0,
    amp: bool = False,
    launcher: str = 'none',
) -> ResumableRunner:
    """Return the runner of a training, ready to start (arguments as in `train`)."""
    last = Path(work_dir) / LAST
    remove_leftovers(work_dir)
    going_on = resume and last.is_file()
    if going_on:
        seed = int(read_checkpoint(last)['meta'].get('seed', seed))
    elif resume:
        logger.warning('%s does not exist: nothing to resume, starting from the beginning', last)
    settings = training_settings(config, work_dir, seed, amp)
    settings.launcher = launcher
    settings.resume = going_on
    if going_on:
        settings.load_from = str(last)
    reliability = Reliability.parse(config.get('reliability'))
    arguments = runner_arguments(settings)
    arguments['custom_hooks'] = [*settings.custom_hooks, BadFrameHook(reliability)]
    return ResumableRunner(
        **arguments, cfg=settings, reliability=reliability, plain_config=with_found_teacher(config).pretty_text
    )
