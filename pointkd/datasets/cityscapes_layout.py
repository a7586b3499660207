"""Cityscapes in its own layout: leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY."""

from __future__ import annotations

from pathlib import Path

from pointkd.core.errors import DataError, nearest
from pointkd.datasets.segmentation_check import LabelRules, Pair
from pointkd.evaluation.cityscapes import CLASSES, IDS, TRAIN_IDS

IMAGES, LABELS = 'leftImg8bit', 'gtFine'
SPLITS = ('train', 'val', 'test')
IMAGE_END = '_leftImg8bit.png'
LABEL_END, INSTANCE_END, TRAIN_END = (f'_gtFine_{kind}.png' for kind in ('labelIds', 'instanceIds', 'labelTrainIds'))


def label_rules() -> LabelRules:
    """Return which values a label image of Cityscapes may hold, and the class of each."""
    return LabelRules(CLASSES, TRAIN_IDS, values=IDS)


def splits_of(root: str | Path, asked: tuple[str, ...] = ()) -> list[str]:
    """Return the splits that a data set has, or those asked for.

    Raises:
        DataError: it has none, or not one asked for.
    """
    root = Path(root)
    present = [split for split in SPLITS if (root / IMAGES / split).is_dir() or (root / LABELS / split).is_dir()]
    if not present:
        raise DataError(f'{root}: no data in Cityscapes layout: neither {IMAGES}/train nor {LABELS}/train (val, test)')
    for split in asked:
        if split not in present:
            raise DataError(f'{root}: no split {split!r}: {nearest(split, present)}')
    return list(asked) or present


def find_pairs(root: str | Path, split: str) -> list[Pair]:
    """Return all images of a split and all its labels, each with its counterpart, which may not exist; by name."""
    images, labels = Path(root) / IMAGES / split, Path(root) / LABELS / split
    stems = {path.relative_to(images).as_posix().removesuffix(IMAGE_END) for path in images.glob(f'*/*{IMAGE_END}')}
    stems |= {path.relative_to(labels).as_posix().removesuffix(LABEL_END) for path in labels.glob(f'*/*{LABEL_END}')}
    return [
        Pair(
            name=f'{split}/{stem}',
            split=split,
            image=images / f'{stem}{IMAGE_END}',
            label=labels / f'{stem}{LABEL_END}',
            instances=labels / f'{stem}{INSTANCE_END}',
            train_ids=labels / f'{stem}{TRAIN_END}',
        )
        for stem in sorted(stems)
    ]
