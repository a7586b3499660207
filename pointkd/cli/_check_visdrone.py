"""`pointkd check-data visdrone`: what is broken in a data set in VisDrone layout."""

from __future__ import annotations

import argparse
import json

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'check every image and label file of data in VisDrone layout; exit code 1 where one is broken'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('root', metavar='ROOT', help='holds VisDrone2019-DET-train/ and others, or images/ itself')
    parser.add_argument('--parts', nargs='+', default=[], metavar='PART', help='train, val, ... (default: all)')
    parser.add_argument('--json', action='store_true', help='print everything as JSON')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    from pointkd.datasets.visdrone.check import check_root
    from pointkd.datasets.visdrone.check_report import describe

    report = check_root(args.root, parts=args.parts, jobs=args.jobs, progress=Progress('images checked'))
    print(json.dumps(report.as_json(), indent=1) if args.json else describe(report))
    return 0 if report.ok() else 1
