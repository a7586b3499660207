"""`pointkd evaluate cityscapes`: official mIoU and iIoU of folders of label images, and boundary metrics."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json

HELP = 'Cityscapes semantic segmentation: IoU, iIoU of classes and categories, and boundary metrics'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        '--labels',
        required=True,
        metavar='DIR',
        help='CITY/CITY_SEQ_FRAME_gtFine_labelIds.png, instanceIds beside them',
    )
    parser.add_argument(
        '--results', required=True, metavar='DIR', help='PNG files of ids (no train ids), names begin CITY_SEQ_FRAME'
    )
    parser.add_argument('--out', metavar='JSON', help='write all numbers to this file')
    parser.add_argument('--no-boundary', action='store_true', help='leave out the boundary metrics (half the time)')
    parser.add_argument('--jobs', type=int, metavar='N', help='threads (default: one a processor, at most 8)')


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the JSON file."""
    from pointkd.evaluation.cityscapes import evaluate_folders
    from pointkd.evaluation.cityscapes.table import describe, table

    if args.jobs is not None and args.jobs < 1:
        raise ConfigError(f'--jobs {args.jobs}: expected at least 1')
    report = evaluate_folders(args.labels, args.results, not args.no_boundary, args.jobs, Progress('images'))
    print(describe(report) + '\n\n' + table(report))
    if args.out:
        write_json(args.out, report)
        print(f'\nwritten: {args.out}')
    return 0
