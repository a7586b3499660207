"""Writes pointkd/datasets/synthetic_aerial/statistics.json from VisDrone-DET annotation files (aggregates only).

`tools/aerial_statistics.py FOLDER [--split train]`: FOLDER holds SPLIT.tar.gz (annotation files) and SPLIT_sizes.json
(`{stem: [width, height]}`). Every frame is cut into square windows of half its height, as a detector sees it that
works on tiles; windows without objects are left out.
"""

import argparse
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import _verb  # noqa: F401  (makes a checkout importable)
import numpy as np

from pointkd.core.files import write_text
from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.copula import fit
from pointkd.datasets.synthetic_aerial.measure import CUT_SHARE, Labels, count_table, describe, scales
from pointkd.datasets.synthetic_aerial.statistics import FILE

WINDOW_SHARE = 0.5  # of the frame's height
DEFAULT_OUT = Path(__file__).resolve().parent.parent / 'pointkd' / 'datasets' / 'synthetic_aerial' / FILE
SOURCE = 'aggregates of the VisDrone-DET annotations (AISKYEYE team, Tianjin University; Zhu et al., TPAMI 2021)'


def main() -> None:
    """Measure the windows, fit the copula, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--split', default='train')
    parser.add_argument('--out', type=Path, default=DEFAULT_OUT)
    args = parser.parse_args()
    images = [window for frame in frames(args.folder, args.split) for window in windows(*frame)]
    measured = describe(images)
    present = np.array([measured['present'][name] for name in CLASSES])
    quantiles = np.array([measured['counts'][name] for name in CLASSES])
    scale = scales(images, measured['relative_size'])
    correlation, share, scale_levels = fit(count_table(images), scale, present, quantiles)
    content = {
        'source': SOURCE,
        'split': args.split,
        'window': f'squares of {WINDOW_SHARE:g} of the height',
        'measured': measured,
        'present': np.round(share, 4).tolist(),
        'scale': np.round(scale_levels, 4).tolist(),
        'correlation': np.round(correlation, 4).tolist(),
    }
    write_text(args.out, compact(content))
    print(f'{args.out}: {measured["images"]} windows, {measured["objects"]} objects')


def frames(folder: Path, split: str) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield the rows (N, 8), width and height of every frame of a split; rows without area are left out."""
    sizes = json.loads((folder / f'{split}_sizes.json').read_text(encoding='utf-8'))
    with tarfile.open(folder / f'{split}.tar.gz') as archive:
        for member in archive:
            if member.isfile() and member.name.endswith('.txt'):
                file = archive.extractfile(member)
                lines = file.read().decode().split() if file else []
                rows = np.array([line.rstrip(',').split(',') for line in lines], dtype=float).reshape(-1, 8)
                yield rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)], *sizes[Path(member.name).stem]


def windows(rows: np.ndarray, width: int, height: int) -> Iterator[Labels]:
    """Yield the annotation of each window of a frame that shows an object of the ten classes."""
    side = height * WINDOW_SHARE
    for left in np.linspace(0, width - side, int(np.ceil(width / side))):
        for top in np.linspace(0, height - side, int(np.ceil(height / side))):
            labels = cut(rows, left, top, side)
            if labels.of(CLASSES).any():
                yield labels


def cut(rows: np.ndarray, left: float, top: float, side: float) -> Labels:
    """Return what lies in a square; objects cut to less than half vanish, ignored regions are cut."""
    low = np.maximum(rows[:, :2], [left, top])
    high = np.minimum(rows[:, :2] + rows[:, 2:4], [left + side, top + side])
    extent = np.maximum(high - low, 0.0)
    share = extent.prod(axis=1) / rows[:, 2:4].prod(axis=1)
    ignored = rows[:, 5] == 0
    kept = (share >= CUT_SHARE) | (ignored & (share > 0))
    boxes = np.column_stack([low - [left, top], extent])[kept] / side
    truncation = np.maximum(rows[kept, 6], share[kept] < 1.0 - 1e-6)
    return Labels(boxes, rows[kept, 5].astype(int), truncation.astype(int), rows[kept, 7].astype(int))


def compact(content: dict) -> str:
    """Return JSON with one list a line."""
    lines = json.dumps(content, indent=1, allow_nan=False).split('\n')
    text = ''
    depth = 0
    for line in lines:
        word = line.strip()
        text += word if depth else line
        depth += word.count('[') - word.count(']')
        text += (' ' if word.endswith(',') else '') if depth else '\n'
    return text.replace('[ ', '[')


if __name__ == '__main__':
    main()
