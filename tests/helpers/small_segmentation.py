"""Small data sets in the layouts of Cityscapes and CamVid, made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pointkd.core.label_images import write_label_image

SHAPE = (24, 32)


def write_photograph(path: Path, shape: tuple[int, int] = SHAPE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    Image.fromarray(values).save(path)


def street(seed: int, ids: list[int]) -> np.ndarray:
    """A label image of horizontal stripes and two boxes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.choice(ids, 4), SHAPE[0] // 4)[:, None].repeat(SHAPE[1], 1).astype(np.uint8)
    labels[6:14, 4:12], labels[10:20, 18:28] = rng.choice(ids, 2)
    return labels


def write_cityscapes(root: Path, names: tuple[str, ...] = ('train/ulm', 'train/bonn', 'val/rome')) -> Path:
    """One image a city, with ids and instances, without train ids."""
    for seed, name in enumerate(names):
        stem = f'{name}/{Path(name).name}_000000_{seed:06d}'
        labels = street(seed, [0, 7, 8, 11, 23, 33])
        labels[0:3, 0:5] = 26
        instances = np.where(labels == 26, 26001, labels).astype(np.uint16)
        write_photograph(root / 'leftImg8bit' / f'{stem}_leftImg8bit.png')
        write_label_image(root / 'gtFine' / f'{stem}_gtFine_labelIds.png', labels)
        write_label_image(root / 'gtFine' / f'{stem}_gtFine_instanceIds.png', instances)
    return root


def write_camvid(root: Path, train: int = 2, val: int = 1, test: int = 1) -> Path:
    """Some images a split, with lists as SegNet writes them."""
    for split, count in (('train', train), ('val', val), ('test', test)):
        lines = []
        for number in range(count):
            name = f'{split}_{number:04d}'
            write_photograph(root / split / f'{name}.jpg')
            labels = street(number, list(range(12)))
            labels[:2], labels[-1] = 3, 11
            write_label_image(root / f'{split}annot' / f'{name}.png', labels)
            lines.append(f'{split}/{name}.jpg {split}annot/{name}.png\n')
        (root / f'{split}.txt').write_text(''.join(lines))
    return root
