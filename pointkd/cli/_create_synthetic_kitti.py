"""`pointkd create-data synthetic-kitti`: street scenes in KITTI format."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs

HELP = 'street scenes in KITTI format, by ray casting: practice data with exact labels'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--scenes', type=int, required=True, metavar='N', help='number of frames')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder; frames that are there are kept')
    parser.add_argument('--seed', type=int, default=0, metavar='S', help='equal seeds give equal files (default 0)')
    parser.add_argument(
        '--val-share', type=float, default=0.25, metavar='P', help='share of the list val (default 0.25)'
    )
    parser.add_argument(
        '--range-m', type=float, default=70.0, metavar='M', help='objects are labelled up to here (default 70)'
    )
    parser.add_argument('--beams', type=int, default=64, choices=(64, 32, 16), help='lasers (default 64)')
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Make the scenes that are missing."""
    from pointkd.datasets.synthetic_kitti import SceneSettings, generate

    settings = SceneSettings(
        scenes=args.scenes,
        seed=args.seed,
        val_share=args.val_share,
        range_m=args.range_m,
        beams=args.beams,
        jobs=args.jobs,
    )
    made = generate(settings, args.out, Progress('scenes'))
    kept = args.scenes - made
    print(f'{args.out}: {made} scenes made' + (f', {kept} were there' if kept else ''))
    print(f'next: pointkd create-data kitti --root {args.out}')
    return 0
