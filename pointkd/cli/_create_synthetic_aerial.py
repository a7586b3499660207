"""`pointkd create-data synthetic-aerial`: aerial images in VisDrone's format."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = "aerial images of small objects in VisDrone's format: practice data with exact labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--images', type=int, required=True, metavar='N', help='number of images to train on')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder; images that are there are kept')
    parser.add_argument('--seed', type=int, default=0, metavar='S', help='equal seeds give equal files (default 0)')
    parser.add_argument('--size', type=int, default=320, metavar='PX', help='side of the square images (default 320)')
    parser.add_argument('--val', type=int, default=-1, metavar='N', help='images of val (default: 2/15 of --images)')
    parser.add_argument('--test', type=int, default=-1, metavar='N', help='images of test (default: 1/5 of --images)')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Make the images that are missing."""
    from pointkd.datasets.synthetic_aerial import AerialSettings, generate

    settings = AerialSettings(
        images=args.images, val=args.val, test=args.test, seed=args.seed, size=args.size, jobs=args.jobs
    )
    made = generate(settings, args.out, Progress('images'))
    counts = settings.counts()
    kept = sum(counts.values()) - made
    print(f'{args.out}: {made} images made' + (f', {kept} were there' if kept else ''))
    print('  ' + ', '.join(f'{split}.json: {count} images' for split, count in counts.items()))
    return 0
