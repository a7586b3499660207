"""`pointkd test CONFIG CHECKPOINT`: the metrics of a trained net on the test set of its config."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from pointkd.cli._config_options import add_config_arguments, read_config
from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json

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
    folder = Path(args.work_dir or Path(args.checkpoint).parent / 'test')
    write_json(folder / 'metrics.json', {name: plain(value) for name, value in metrics.items()})
    for name in main_metrics(list(metrics)):
        value = metrics[name]
        print(f'{name}: {value:.4f}' if isinstance(value, float) else f'{name}: {value}')
    print(f'all metrics: {folder / "metrics.json"}')
    if args.out:
        print(f'result files: {Path(args.out) / "pred_instances_3d"}')


def main_metrics(names: list[str]) -> list[str]:
    """Return the metrics worth printing: all of a few, of KITTI's hundreds the official moderate AP40."""
    chosen = [name for name in names if 'AP40_moderate' in name and not name.endswith('loose')]
    return chosen or names


def plain(value: Any) -> Any:
    """Return a metric as JSON holds it: a number that is not finite becomes null."""
    if isinstance(value, int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def _write_results(config: Any, folder: str) -> None:
    """Ask the config's KITTI metric for result files."""
    evaluators = config.get('test_evaluator') or []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        if str(evaluator.get('type')).rpartition('.')[2] == 'KittiMetric':
            evaluator['submission_prefix'] = folder
            return
    raise ConfigError('--out: writes KITTI result files, and the test_evaluator of this config is no KittiMetric')
