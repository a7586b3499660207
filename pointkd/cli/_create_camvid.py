"""`pointkd create-data camvid`: label images, links and lists, as `CamVidDataset` trains on them."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'label images with 255 for void, images, and lists, for CamVid with 11 classes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--root', required=True, metavar='R', help='folder that holds train.txt, val.txt, test.txt')
    parser.add_argument('--out', required=True, metavar='O', help='where to write; give this as data_root')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Make the data set and say what there is."""
    from pointkd.datasets.segmentation_prepare import prepare_camvid

    images = prepare_camvid(args.root, args.out, args.jobs, Progress('labels'))
    print(f'{args.out}: ' + ', '.join(f'{count} {split}' for split, count in images.items()) + ' images')
    print('  images/, labels/ (0..10, 255 for void), lists in splits/')
    return 0
