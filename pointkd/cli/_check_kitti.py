"""`pointkd check-data kitti`: what is broken in a data set in KITTI layout."""

from __future__ import annotations

import argparse
import json

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'check every frame of data in KITTI layout; exit code 1 where one is broken'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('root', metavar='ROOT', help='folder that holds training/ and ImageSets/')
    parser.add_argument('--lists', nargs='+', default=[], metavar='LIST', help='lists in ImageSets (default: all)')
    parser.add_argument(
        '--classes', nargs='+', default=[], metavar='CLASS', help="classes that are known besides KITTI's own"
    )
    parser.add_argument('--json', action='store_true', help='print everything as JSON')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    from pointkd.datasets.kitti_check import check_root
    from pointkd.datasets.kitti_check_report import describe

    report = check_root(
        args.root, lists=args.lists, classes=args.classes, jobs=args.jobs, progress=Progress('frames checked')
    )
    print(json.dumps(report.as_json(), indent=1) if args.json else describe(report))
    return 0 if report.ok() else 1
