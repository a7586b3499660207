"""Cuts labelled images into overlapping slices, so that small objects keep their size in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pointkd.core.errors import ConfigError, DataError
from pointkd.core.files import atomic_write
from pointkd.core.tiles import check_tiling, tile_image
from pointkd.core.visdrone import HEIGHT, SCORE, WIDTH, X, Y
from pointkd.datasets.visdrone.coco import LabelledImage, ignored

QUALITY = 95  # of the JPEG files of slices


@dataclass(frozen=True)
class Slicing:
    """How images are cut.

    Attributes:
        size: side of a slice, pixels.
        overlap: share of a side that the next slice repeats, at least.
        visible: share of a box that must lie in a slice for it to be an object there; of others the part that shows is
            kept as ignored.

    Raises:
        ConfigError: a setting is out of its range.
    """

    size: int = 640
    overlap: float = 0.2
    visible: float = 0.5

    def __post_init__(self) -> None:
        check_tiling(self.size, self.overlap)
        if not 0 < self.visible <= 1:
            raise ConfigError(f'visible share of a box: expected above 0 and up to 1, got {self.visible!r}')


def slice_labels(rows: np.ndarray, tile: np.ndarray, visible: float) -> np.ndarray:
    """Return the labels of a slice.

    Args:
        rows: (N, 8) labels of the whole image.
        tile: (4,) left, top, right, bottom.
        visible: see `Slicing`.

    Returns:
        (M, 8) labels whose box shows in the slice, clipped to it and in its coordinates, in the order given; score 0
        where an object shows by less than the share asked for.
    """
    left, top, right, bottom = (float(value) for value in tile)
    x1, y1 = np.maximum(rows[:, X], left), np.maximum(rows[:, Y], top)
    width = np.minimum(rows[:, X] + rows[:, WIDTH], right) - x1
    height = np.minimum(rows[:, Y] + rows[:, HEIGHT], bottom) - y1
    shown = (width > 0) & (height > 0)
    cut = rows[shown].copy()
    cut[:, X], cut[:, Y] = x1[shown] - left, y1[shown] - top
    cut[:, WIDTH], cut[:, HEIGHT] = width[shown], height[shown]
    whole = rows[shown, WIDTH] * rows[shown, HEIGHT]
    too_little = cut[:, WIDTH] * cut[:, HEIGHT] < visible * whole
    cut[too_little & ~ignored(cut), SCORE] = 0.0
    return cut


def slice_image(
    image: Path, rows: np.ndarray, size: tuple[int, int], settings: Slicing, out: Path, folder: str
) -> list[LabelledImage]:
    """Cut an image into slices and write them.

    Args:
        image: its file.
        rows: (N, 8) its labels.
        size: its width and height.
        settings: how to cut.
        out: data root to write below.
        folder: folder below it, of slices called `STEM_LEFT_TOP.jpg`.

    Returns:
        The slices, row by row.

    Raises:
        DataError: the image does not decode to the size given.
        StorageError: a slice can't be written.
    """
    pixels = cv2.imread(str(image), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != size:
        raise DataError(f'{image}: does not decode to the {size[0]} x {size[1]} pixels that its header gives')
    return list(_written(pixels, image.stem, rows, settings, out, folder))


def _written(
    pixels: np.ndarray, stem: str, rows: np.ndarray, settings: Slicing, out: Path, folder: str
) -> Iterator[LabelledImage]:
    """Write the slices of an image (H, W, 3) and yield them."""
    for tile in tile_image(pixels.shape[1], pixels.shape[0], settings.size, settings.overlap):
        left, top, right, bottom = (int(value) for value in tile)
        name = f'{folder}/{stem}_{left}_{top}.jpg'
        done, code = cv2.imencode('.jpg', pixels[top:bottom, left:right], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not done:
            raise DataError(f'{name}: this slice could not be encoded')
        with atomic_write(out / name) as file:
            file.write(code.tobytes())
        labels = slice_labels(rows, tile, settings.visible)
        yield LabelledImage(name, (right - left, bottom - top), labels, (left, top))
