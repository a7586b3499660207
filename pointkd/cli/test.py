"""`pointkd test CONFIG CHECKPOINT`: the metrics of a trained net on the test set of its config."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pointkd.cli._config_options import add_config_arguments, read_config
from pointkd.core.errors import ConfigError

HELP = 'evaluate a checkpoint with the metrics of its config'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='weights of the net, loaded strictly')
    parser.add_argument('--work-dir', metavar='DIR', help='where logs go (default: `test` beside the checkpoint)')
    parser.add_argument('--out', metavar='DIR', help='also write the detections as KITTI result files there')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='several processes')


def run(args: argparse.Namespace) -> None:
    """Evaluate and print one metric a line."""
    config = read_config(args)
    if args.out:
        _write_results(config, args.out)
    from mmengine.dist import is_main_process

    from pointkd.engine.evaluate import evaluate

    metrics = evaluate(config, args.checkpoint, work_dir=args.work_dir, launcher=args.launcher)
    if not is_main_process():
        return
    for name, value in metrics.items():
        print(f'{name}: {value:.4f}' if isinstance(value, float) else f'{name}: {value}')
    if args.out:
        print(f'result files: {Path(args.out) / "pred_instances_3d"}')


def _write_results(config: Any, folder: str) -> None:
    """Ask the config's KITTI metric for result files."""
    evaluators = config.get('test_evaluator') or []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        if str(evaluator.get('type')).rpartition('.')[2] == 'KittiMetric':
            evaluator['submission_prefix'] = folder
            return
    raise ConfigError('--out: writes KITTI result files, and the test_evaluator of this config is no KittiMetric')
