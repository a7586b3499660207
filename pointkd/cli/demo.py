"""`pointkd demo`: from data to a report in minutes, on a processor."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pointkd.core.errors import ConfigError

HELP = 'distil on synthetic scenes, evaluate, export, write a report'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--work-dir', default='work_dirs/demo', metavar='DIR', help='where everything goes')
    parser.add_argument('--scenes', type=int, metavar='N', help='street scenes, a quarter for evaluation')
    parser.add_argument('--iterations', type=int, metavar='N', help='training steps of each student')
    parser.add_argument('--teacher-iterations', type=int, metavar='N', help='training steps of the teacher')
    parser.add_argument('--seed', type=int, default=0, help='of data, weights and order (default 0)')
    parser.add_argument('--train-teacher', action='store_true', help='train the teacher too, not the shipped one')
    parser.add_argument(
        '--amp',
        choices=['auto', 'on', 'off'],
        default='auto',
        help='bf16; auto: where a short measurement says it pays',
    )


def run(args: argparse.Namespace) -> None:
    """Run the demo."""
    for name in ('scenes', 'iterations', 'teacher_iterations'):
        value = getattr(args, name)
        if value is not None and value < 8:
            raise ConfigError(f'--{name.replace("_", "-")} {value}: at least 8')
    from pointkd.report.demo.run import run_demo
    from pointkd.report.demo.settings import DemoSettings

    chosen = {name: getattr(args, name) for name in ('scenes', 'iterations', 'teacher_iterations')}
    settings = DemoSettings(
        folder=Path(args.work_dir),
        seed=args.seed,
        train_teacher=args.train_teacher,
        amp={'auto': None, 'on': True, 'off': False}[args.amp],
        **{name: value for name, value in chosen.items() if value is not None},
    )
    run_demo(settings, lambda line: print(line, flush=True, file=sys.stdout))
