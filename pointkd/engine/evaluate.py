"""Evaluates a checkpoint with the metrics of its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from pointkd.engine.explain import explained_failures
from pointkd.engine.reliability import Reliability
from pointkd.engine.runner import ResumableRunner
from pointkd.engine.setup import evaluation_settings, runner_arguments
from pointkd.io.build import build_model, scope_of


def evaluate(
    config: Config, checkpoint: str | Path, *, work_dir: str | Path | None = None, launcher: str = 'none'
) -> dict[str, Any]:
    """Return the metrics of a trained net on the test set of its config.

    Args:
        config: as `pointkd.io.config.load_config` gives it; it is not changed.
        checkpoint: weights of `config.model`, loaded strictly (a distilled student's file too).
        work_dir: where logs are written, default `test` beside the checkpoint.
        launcher: `'none'`, `'pytorch'` (torchrun) or `'slurm'`; results of all processes are put together.

    Returns:
        Metrics by name, as the config's evaluator gives them.

    Raises:
        CheckpointError: the weights can't be read or belong to another network.
        DataError: a frame can't be read; nothing is skipped in an evaluation.
    """
    network = build_model(config, checkpoint)
    settings = evaluation_settings(config, work_dir or Path(checkpoint).parent / 'test')
    settings.launcher = launcher
    arguments = {**runner_arguments(settings), 'model': network}
    runner = ResumableRunner(**arguments, cfg=settings, reliability=Reliability(), plain_config=config.pretty_text)
    with explained_failures(scope_of(config)):
        return runner.test()
