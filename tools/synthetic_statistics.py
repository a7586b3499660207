"""Prints how synthetic scenes compare with real KITTI frames, as the table of docs/data/synthetic.md.

`tools/synthetic_statistics.py SYNTHETIC REAL` (roots in KITTI layout; all labelled frames of each are taken).
"""

import argparse
from functools import partial
from itertools import pairwise
from pathlib import Path

import _verb  # noqa: F401  (makes a checkout importable)
import numpy as np

from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.kitti_statistics import (
    DISTANCES_M,
    FrameNumbers,
    frame_numbers,
    occlusion_shares,
    points_by_distance,
)
from pointkd.datasets.parallel import map_frames

CLASSES = ('Car', 'Pedestrian', 'Cyclist')


def main() -> None:
    """Read both folders and print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('synthetic', type=Path, help='root of the synthetic scenes')
    parser.add_argument('real', type=Path, help='root of real frames in KITTI layout')
    parser.add_argument('--jobs', type=int, default=2, help='processes (default 2)')
    args = parser.parse_args()
    sets = {'synthetic': read(args.synthetic, args.jobs), 'real': read(args.real, args.jobs)}
    print_frames(sets)
    for name in CLASSES:
        print_distances(sets, name)
    print_occlusion(sets)


def read(root: Path, jobs: int) -> list[FrameNumbers]:
    """Return the numbers of every labelled frame below a root."""
    frames = sorted(path.stem for path in (root / 'training' / 'label_2').glob('*.txt'))
    return list(map_frames(partial(frame_numbers, KittiFolder(root)), frames, jobs))


def print_frames(sets: dict[str, list[FrameNumbers]]) -> None:
    """Print what a frame holds on average."""
    print('| | frames | points a frame |', ' | '.join(CLASSES), '| DontCare | frames without object |')
    print('|---' * (len(CLASSES) + 5) + '|')
    for title, frames in sets.items():
        counts = [np.mean([frame.names.count(name) for frame in frames]) for name in CLASSES]
        row = [title, str(len(frames)), f'{np.mean([frame.cloud for frame in frames]):.0f}']
        row += [f'{count:.2f}' for count in counts]
        row += [f'{np.mean([frame.ignored for frame in frames]):.2f}']
        row += [f'{np.mean([not frame.names for frame in frames]):.0%}']
        print('|', ' | '.join(row), '|')


def print_distances(sets: dict[str, list[FrameNumbers]], name: str) -> None:
    """Print the median of points an object by distance."""
    print(f'\n{name}: median points an object (objects)\n')
    print('| metres |', ' | '.join(f'{near}-{far}' for near, far in pairwise(DISTANCES_M)), '|')
    print('|---' * len(DISTANCES_M) + '|')
    for title, frames in sets.items():
        cells = [f'{median:.0f} ({count})' if count else '-' for count, median in points_by_distance(frames, name)]
        print(f'| {title} |', ' | '.join(cells), '|')


def print_occlusion(sets: dict[str, list[FrameNumbers]]) -> None:
    """Print the shares of the occlusion levels."""
    print('\nOcclusion 0 / 1 / 2 / 3\n')
    print('| |', ' | '.join(CLASSES), '|')
    print('|---' * (len(CLASSES) + 1) + '|')
    for title, frames in sets.items():
        cells = [' / '.join(f'{share:.0%}' for share in occlusion_shares(frames, name)) for name in CLASSES]
        print(f'| {title} |', ' | '.join(cells), '|')


if __name__ == '__main__':
    main()
