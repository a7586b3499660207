"""`pointkd create-data kitti`: info files, reduced clouds and database of objects, as mmdet3d makes them."""

from __future__ import annotations

import argparse

from pointkd.cli._progress import Progress
from pointkd.cli._subcommands import default_jobs
from pointkd.core.errors import ConfigError

HELP = 'info files, reduced clouds and ground-truth database for data in KITTI layout'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--root', required=True, metavar='R', help='folder that holds training/ and ImageSets/')
    parser.add_argument('--out', metavar='O', help='where to write (default: the root); give this as data_root then')
    parser.add_argument(
        '--splits',
        default='',
        metavar='PART=LIST,...',
        help='lists in ImageSets with other names: train=mini_train,val=mini_val',
    )
    parser.add_argument(
        '--classes', nargs='+', metavar='CLASS', help="what goes into the database (default: KITTI's eight classes)"
    )
    parser.add_argument('--jobs', type=int, default=default_jobs(), help='processes (default: all processors)')


def run(args: argparse.Namespace) -> int:
    """Prepare the data set and say what was made."""
    from pointkd.datasets.kitti_folder import CLASSES
    from pointkd.datasets.kitti_prepare import prepare

    summary = prepare(
        args.root,
        args.out,
        lists=parse_splits(args.splits),
        classes=args.classes or CLASSES,
        jobs=args.jobs,
        progress=Progress('frames'),
    )
    out = args.out or args.root
    print(f'{out}: info files of ' + ', '.join(f'{count} {part}' for part, count in summary.frames.items()) + ' frames')
    print('  objects in the database: ' + ', '.join(f'{count} {name}' for name, count in summary.database.items()))
    empty = [name for name, count in summary.database.items() if not count]
    if empty:
        print(f'  none of {", ".join(empty)}: leave them out of sample_groups and filter_by_min_points in db_sampler')
    if summary.sized:
        print(f'  {summary.sized} frames have no image: their image size was taken from the calibration')
    if summary.unknown:
        found = ', '.join(f'{count} {name}' for name, count in sorted(summary.unknown.items()))
        print(f'  ignored, as their class is unknown: {found} (name it with --classes)')
    if 'test' not in summary.frames:
        print('  no list test: no kitti_infos_test.pkl')
    return 0


def parse_splits(text: str) -> dict[str, str]:
    """Read `train=mini_train,val=mini_val`.

    Raises:
        ConfigError: an entry has another form.

    Example:
        >>> parse_splits('train=mini_train')
        {'train': 'mini_train'}
    """
    lists: dict[str, str] = {}
    for entry in text.split(','):
        if not entry.strip():
            continue
        part, mark, name = (word.strip() for word in entry.partition('='))
        if not (part and mark and name):
            raise ConfigError(f'--splits: expected PART=LIST, for example train=mini_train, got {entry!r}')
        lists[part] = name.removesuffix('.txt')
    return lists
