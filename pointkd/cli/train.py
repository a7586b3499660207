"""`pointkd train CONFIG`: train a net, a distilled student where the config has a `distill` block."""

from __future__ import annotations

import argparse
from pathlib import Path

from pointkd.cli._config_options import add_config_arguments, read_config

HELP = 'train (or distil) what a config describes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_arguments(parser)
    parser.add_argument('--work-dir', metavar='DIR', help='where the run writes (default: work_dirs/NAME_OF_CONFIG)')
    parser.add_argument('--resume', action='store_true', help='go on from last.pth in the work dir')
    parser.add_argument('--seed', type=int, default=0, help='of weights, order and augmentation (default 0)')
    parser.add_argument('--amp', action='store_true', help='mixed precision: bf16 on the CPU, fp16 on CUDA')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='several processes')


def run(args: argparse.Namespace) -> None:
    """Train."""
    config = read_config(args)
    work_dir = Path(args.work_dir or config.get('work_dir') or Path('work_dirs') / Path(config.filename).stem)
    from pointkd.engine.train import train

    runner = train(config, work_dir, resume=args.resume, seed=args.seed, amp=args.amp, launcher=args.launcher)
    if runner.rank == 0:
        print(f'trained {runner.iter} iterations: {work_dir / "last.pth"}')
