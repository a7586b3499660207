"""`pointkd evaluate visdrone`: official VisDrone-DET AP and AR of folders of result files."""

from __future__ import annotations

import argparse

from pointkd.core.files import write_json

HELP = 'VisDrone-DET object detection: AP, AP50, AP75 and AR at 1, 10, 100, 500 detections an image'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    columns = 'x,y,width,height,score,category,...'
    parser.add_argument('--labels', required=True, metavar='DIR', help=f'label files STEM.txt, rows {columns}')
    parser.add_argument('--results', required=True, metavar='DIR', help=f'result files STEM.txt, rows {columns}')
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument('--sizes', metavar='JSON', help='image sizes {"STEM": [width, height]}, for ignored regions')
    sizes.add_argument('--images', metavar='DIR', help='folder of the images, to read their sizes from')
    parser.add_argument('--out', metavar='JSON', help='write all numbers to this file')


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the JSON file."""
    from pointkd.evaluation.visdrone import evaluate_folders
    from pointkd.evaluation.visdrone.table import describe, table

    report = evaluate_folders(args.labels, args.results, args.sizes, args.images)
    print(describe(report))
    print('\n' + table(report))
    if args.out:
        write_json(args.out, report)
        print(f'\nwritten: {args.out}')
    return 0
