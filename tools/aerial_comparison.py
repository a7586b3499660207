"""Prints how generated aerial images compare with the annotations they were fitted to: tables of the docs.

`tools/aerial_comparison.py FOLDER [--split train]`: FOLDER is what `pointkd create-data synthetic-aerial` has made.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import _verb  # noqa: F401  (makes a checkout importable)

from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.frame import FOLDERS, read_rows
from pointkd.datasets.synthetic_aerial.labels import as_labels
from pointkd.datasets.synthetic_aerial.measure import COUNT_LEVELS, GROUPS, LEVELS, describe
from pointkd.datasets.synthetic_aerial.statistics import load

SHOWN = (0.1, 0.5, 0.9)  # quantiles


def main() -> None:
    """Read the annotations and print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--split', default='train', choices=tuple(FOLDERS))
    args = parser.parse_args()
    size = json.loads((args.folder / 'synthetic.json').read_text(encoding='utf-8'))['size']
    files = sorted((args.folder / FOLDERS[args.split] / 'annotations').glob('*.txt'))
    found = describe([as_labels(read_rows(path), size) for path in files])
    real = load().measured
    print(f'{real["images"]} windows of real frames, {found["images"]} generated images\n')
    print_images(real, found, size)
    print_classes(real, found, size)


def print_images(real: dict, found: dict, size: int) -> None:
    """Print what concerns whole images."""
    print('| quantiles 10% / 50% / 90% | real | generated |')
    print('|---|---|---|')
    for title, key, factor, digits in (
        ('objects an image', 'total', 1, 0),
        (f'size of a car, pixels of {size}', 'scale', size, 1),
        ('height over width of pedestrians', 'upright', 1, 2),
    ):
        levels = COUNT_LEVELS if key == 'total' else LEVELS
        print(f'| {title} |', ' | '.join(shown(side[key], levels, factor, digits) for side in (real, found)), '|')
    for group in GROUPS:
        cells = (shown(side['spacing'][group], LEVELS, 1, 1) for side in (real, found))
        print(f'| distance to the nearest of the {group}, in own sizes |', ' | '.join(cells), '|')
    print(f'| images with an ignored region | {real["ignored"]:.0%} | {found["ignored"]:.0%} |\n')


def print_classes(real: dict, found: dict, size: int) -> None:
    """Print what concerns each class, real / generated."""
    print('| real / generated | share | images with it | size, pixels: median | occlusion 1 | occlusion 2 | cut |')
    print('|---|---|---|---|---|---|---|')
    middle = LEVELS.index(0.5)
    for name in CLASSES:
        cells = [
            ' / '.join(f'{side["class_share"][name]:.1%}' for side in (real, found)),
            ' / '.join(f'{side["present"][name]:.0%}' for side in (real, found)),
            ' / '.join(
                f'{side["size"][name][middle] * size:.1f}' if side['size'][name] else '-' for side in (real, found)
            ),
            ' / '.join(f'{side["occlusion"][name][1]:.0%}' for side in (real, found)),
            ' / '.join(f'{side["occlusion"][name][2]:.0%}' for side in (real, found)),
            ' / '.join(f'{side["truncation"][name]:.0%}' for side in (real, found)),
        ]
        print(f'| {name} |', ' | '.join(cells), '|')


def shown(quantiles: Sequence[float], levels: Sequence[float], factor: float, digits: int) -> str:
    """Return three quantiles of a distribution."""
    return ' / '.join(f'{quantiles[levels.index(level)] * factor:.{digits}f}' for level in SHOWN) if quantiles else '-'


if __name__ == '__main__':
    main()
