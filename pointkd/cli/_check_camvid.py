"""`pointkd check-data camvid`: what is broken in a data set in CamVid layout."""

from __future__ import annotations

import argparse
import json

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'check every image and label of data in CamVid layout; exit code 1 where one is broken'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'root', metavar='ROOT', help='folder that holds train.txt, val.txt, test.txt (IMAGE LABEL a line)'
    )
    parser.add_argument('--json', action='store_true', help='print everything as JSON')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    from pointkd.datasets.segmentation_report import describe
    from pointkd.datasets.segmentation_roots import check_camvid

    report = check_camvid(args.root, jobs=args.jobs, progress=Progress('images checked'))
    print(json.dumps(report.as_json(), indent=1) if args.json else describe(report))
    return 0 if report.ok() else 1
