"""CamVid in the layout of the SegNet tutorial: 11 classes, folders of images and label images, lists of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.datasets.segmentation_check import VOID, LabelProblem, LabelRules, Pair

CLASSES = (
    'Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence', 'Car', 'Pedestrian', 'Bicyclist',
)  # fmt: skip
PALETTE = [
    [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0], [192, 128, 128],
    [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192],
]  # fmt: skip
UNLABELLED = len(CLASSES)  # value of pixels that take no part
SPLITS = ('train', 'val', 'test')


def label_rules() -> LabelRules:
    """Return which values a label image of CamVid may hold, and the class of each."""
    table = np.full(256, VOID, np.uint8)
    table[: len(CLASSES)] = np.arange(len(CLASSES))
    return LabelRules(CLASSES, table, values=UNLABELLED + 1)


def list_paths(root: str | Path) -> dict[str, Path]:
    """Return the list files of a data set by split.

    Raises:
        DataError: there is none.
    """
    found = {split: Path(root) / f'{split}.txt' for split in SPLITS}
    found = {split: path for split, path in found.items() if path.is_file()}
    if not found:
        raise DataError(
            f'{root}: no data in CamVid layout: none of {", ".join(f"{split}.txt" for split in SPLITS)} is there'
        )
    return found


def read_list(root: str | Path, path: Path, split: str) -> tuple[list[Pair], list[LabelProblem]]:
    """Read a list, `IMAGE LABEL` a line, relative to the root.

    Leading folders that the root does not have are dropped: lists of the origin begin with `/SegNet/CamVid/`.

    Returns:
        The pairs in order, and what is wrong with lines and with the list.
    """
    pairs: list[Pair] = []
    problems = []
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [LabelProblem('bad list', f'{path}: can not be read ({error})')]
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) == 2:
            image, label = (_below(Path(root), word) for word in words)
            pairs.append(Pair(f'{split}/{image.stem}', split, image, label))
        elif words:
            problems.append(LabelProblem('bad list', f'{path}:{number}: expected IMAGE LABEL, got {line!r}'))
    if not pairs:
        problems.append(LabelProblem('bad list', f'{path}: names no pair of image and label'))
    return pairs, problems


def _below(root: Path, word: str) -> Path:
    """Return the file below the root that a word of a list means."""
    parts = Path(word).parts[1:] if word.startswith('/') else Path(word).parts
    for start in range(len(parts)):
        candidate = root.joinpath(*parts[start:])
        if candidate.is_file():
            return candidate
    return root.joinpath(*parts)
