"""`pointkd demo`: from data to a report in minutes, on a processor."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pointkd.core.errors import ConfigError

HELP = 'distil on synthetic scenes, evaluate, export, write a report; `demo yolo` compresses a detector of images'
POINTS, YOLO = 'points', 'yolo'
SIZES = {POINTS: ('scenes', 'iterations', 'teacher_iterations'), YOLO: ('images', 'iterations')}
ONLY_POINTS = ('scenes', 'teacher_iterations', 'train_teacher', 'amp')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = 'points: a distilled PointPillars; yolo: a pruned and distilled YOLOv8 on aerial images (default points)'
    parser.add_argument('what', nargs='?', choices=list(SIZES), default=POINTS, help=what)
    parser.add_argument('--work-dir', metavar='DIR', help='where everything goes (work_dirs/demo, work_dirs/demo-yolo)')
    parser.add_argument('--iterations', type=int, metavar='N', help='training steps of each student; of the dense YOLO')
    parser.add_argument('--seed', type=int, default=0, help='of data, weights and order (default 0)')
    parser.add_argument('--images', type=int, metavar='N', help='yolo: aerial images to train on')
    parser.add_argument('--scenes', type=int, metavar='N', help='points: street scenes, a quarter for evaluation')
    parser.add_argument('--teacher-iterations', type=int, metavar='N', help='points: training steps of the teacher')
    parser.add_argument('--train-teacher', action='store_true', help='points: train the teacher, not the shipped one')
    parser.add_argument(
        '--amp', choices=['auto', 'on', 'off'], help='points: bf16; auto (default): where a short measurement says so'
    )


def run(args: argparse.Namespace) -> None:
    """Run the demo."""
    for name in ('scenes', 'images', 'iterations', 'teacher_iterations'):
        value = getattr(args, name)
        if value is not None and value < 8:
            raise ConfigError(f'{option(name)} {value}: at least 8')
    foreign = ONLY_POINTS if args.what == YOLO else ('images',)
    for name in foreign:
        if getattr(args, name):
            raise ConfigError(f'demo {args.what} takes no {option(name)}')
    chosen = {name: getattr(args, name) for name in SIZES[args.what]}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if args.what == YOLO:
        run_yolo(args, chosen)
    else:
        run_points(args, chosen)


def run_points(args: argparse.Namespace, chosen: dict[str, int]) -> None:
    """Distil on street scenes."""
    from pointkd.report.demo.run import run_demo
    from pointkd.report.demo.settings import DemoSettings

    settings = DemoSettings(
        folder=Path(args.work_dir or 'work_dirs/demo'),
        seed=args.seed,
        train_teacher=args.train_teacher,
        amp={'auto': None, 'on': True, 'off': False}[args.amp or 'auto'],
        **chosen,
    )
    run_demo(settings, say)


def run_yolo(args: argparse.Namespace, chosen: dict[str, int]) -> None:
    """Compress a detector of aerial images."""
    from pointkd.report.demo.yolo import YoloSettings, run_yolo_demo

    run_yolo_demo(YoloSettings(folder=Path(args.work_dir or 'work_dirs/demo-yolo'), seed=args.seed, **chosen), say)


def option(name: str) -> str:
    """Return how an argument is written on the command line."""
    return f'--{name.replace("_", "-")}'


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True, file=sys.stdout)
