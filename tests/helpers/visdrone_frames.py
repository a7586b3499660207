"""A small data set in VisDrone layout: noise as images, a few boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = (120, 90)  # width, height
ROWS = ('10,20,12,9,1,4,0,1', '50,30,8,16,1,1,0,0', '0,0,30,15,0,0,0,0', '90,60,20,20,0,11,1,2')


def write_image(
    folder: Path, stem: str, rows: tuple[str, ...] | None = ROWS, size: tuple[int, int] = SIZE, seed: int = 0
) -> None:
    """Write an image, and its label file unless rows is None."""
    for name in ('images', 'annotations'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    cv2.imwrite(str(folder / 'images' / f'{stem}.jpg'), pixels)
    if rows is not None:
        (folder / 'annotations' / f'{stem}.txt').write_text(''.join(f'{row}\n' for row in rows))


def write_root(root: Path) -> Path:
    """Write three training and two validation images and return the root."""
    for part, stems in (('train', 'abc'), ('val', 'de')):
        for number, stem in enumerate(stems):
            write_image(root / f'VisDrone2019-DET-{part}', stem, seed=number)
    return root
