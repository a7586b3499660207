"""`pointkd create-data visdrone`: COCO files of data in VisDrone layout, and slices of the images."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs
from pointkd.core.errors import ConfigError

HELP = 'COCO files for data in VisDrone layout; with --slice also slices of the images'
SHOWN = 10  # messages of a kind that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    root = 'holds VisDrone2019-DET-train/ and others, or images/ and annotations/ itself'
    parser.add_argument('--root', required=True, metavar='R', help=root)
    parser.add_argument('--out', metavar='O', help='where to write (default: the root); give this as data_root then')
    parser.add_argument('--parts', nargs='+', default=[], metavar='PART', help='train, val, ... (default: all)')
    parser.add_argument(
        '--lists',
        nargs='+',
        default=[],
        metavar='PART=FILE',
        help='cut one folder into parts by files of names',
    )
    parser.add_argument('--slice', type=int, metavar='PIXELS', help='also cut images into slices of this side')
    parser.add_argument('--overlap', type=float, default=0.2, help='share of a side that neighbours repeat (0.2)')
    parser.add_argument(
        '--visible', type=float, default=0.5, help='share of a box that must show in a slice, else it is ignored (0.5)'
    )
    parser.add_argument(
        '--repair', action='store_true', help='clip boxes that reach out of the image, leave out those of zero size'
    )
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Convert the data set and say what was made."""
    from pointkd.datasets.visdrone.prepare import prepare
    from pointkd.datasets.visdrone.slices import Slicing

    slicing = None if args.slice is None else Slicing(args.slice, args.overlap, args.visible)
    summary = prepare(
        args.root,
        args.out,
        parts=args.parts,
        lists=parse_lists(args.lists),
        slicing=slicing,
        repair=args.repair,
        jobs=args.jobs,
        progress=Progress('images checked'),
        slice_progress=Progress('images cut'),
    )
    print(
        f'{args.out or args.root}: '
        + ', '.join(f'{count} {part}' for part, count in summary.images.items())
        + ' images'
    )
    if summary.slices:
        print('  slices: ' + ', '.join(f'{count} {part}' for part, count in summary.slices.items()))
    print('  boxes: ' + ', '.join(f'{counts["boxes"]} {name}' for name, counts in summary.categories.items()))
    _print_messages('clipped or left out', summary.repaired)
    _print_messages('worth a look', summary.noted)
    for path in summary.files:
        print(f'  written: {path}')
    return 0


def parse_lists(entries: list[str]) -> dict[str, str]:
    """Read `train=train.txt val=val.txt`.

    Raises:
        ConfigError: an entry has another form, or a part comes twice.

    Example:
        >>> parse_lists(['train=train.txt'])
        {'train': 'train.txt'}
    """
    lists: dict[str, str] = {}
    for entry in entries:
        part, _, path = entry.partition('=')
        if not part or not path or '/' in part:
            raise ConfigError(f'--lists: expected PART=FILE, for example train=train.txt, got {entry!r}')
        if part in lists:
            raise ConfigError(f'--lists: the part {part!r} comes twice')
        lists[part] = path
    return lists


def _print_messages(title: str, messages: list[str]) -> None:
    """Print how many messages there are, and the first."""
    if messages:
        print(f'  {title}: {len(messages)}')
        for message in messages[:SHOWN]:
            print(f'    {message}')
        if len(messages) > SHOWN:
            print(f'    ... and {len(messages) - SHOWN} more (`pointkd check-data visdrone --json` has all)')
