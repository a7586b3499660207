"""`pointkd create-data cityscapes`: train ids and lists, as mmseg trains on them."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'label images of train ids, and lists, for data in Cityscapes layout'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--root', required=True, metavar='R', help='folder that holds leftImg8bit/ and gtFine/')
    parser.add_argument('--out', metavar='O', help='where to write (default: the root); give this as data_root then')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Make the train ids and say what there is."""
    from pointkd.datasets.segmentation_prepare import prepare_cityscapes

    images = prepare_cityscapes(args.root, args.out, args.jobs, Progress('labels'))
    print(f'{args.out or args.root}: ' + ', '.join(f'{count} {split}' for split, count in images.items()) + ' images')
    print('  ..._gtFine_labelTrainIds.png beside the labels; lists in splits/')
    return 0
