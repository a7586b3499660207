"""Masks of segmentation nets as pictures: label images that show their colours, and overlays with a legend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.core.files import atomic_write
from pointkd.runtime.segmenter import Mask

LEGEND_WIDTH, LINE_HEIGHT, MARGIN = 150, 18, 6
BACKGROUND, TEXT = (15, 20, 27), (195, 204, 216)


def write_mask(path: str | Path, mask: Mask) -> None:
    """Write a PNG whose pixel values are the labels and whose palette has their colours.

    Viewers show it in colour; `numpy.asarray(PIL.Image.open(path))` and mmcv's `imread(..., backend='pillow')` read the
    labels. OpenCV applies the palette.
    """
    from PIL import Image

    picture = Image.fromarray(mask.labels)
    picture.putpalette([level for colour in mask.palette for level in colour])
    _save(picture, path)


def draw_overlay(path: str | Path, image: np.ndarray, mask: Mask, opacity: float = 0.6) -> None:
    """Write a PNG of an image under the colours of its mask, with the classes that are there, the largest first.

    Args:
        path: file.
        image: (H, W, 3) uint8, RGB.
        mask: of this image.
        opacity: of the colours, 0 to 1.

    Raises:
        ConfigError: the opacity lies outside.
        ShapeError: image and mask have different sizes.
    """
    from PIL import Image, ImageDraw

    if not 0 <= opacity <= 1:
        raise ConfigError(f'opacity must lie between 0 and 1, got {opacity}')
    height, width = mask.labels.shape
    check_shape(image, f'{height} {width} 3', 'image')
    colours = np.asarray(mask.palette, dtype=np.float32)[mask.labels]
    mixed = (image * (1 - opacity) + colours * opacity + 0.5).astype(np.uint8)
    shares = mask.shares()
    picture = Image.new('RGB', (width + LEGEND_WIDTH, max(height, 2 * MARGIN + LINE_HEIGHT * len(shares))), BACKGROUND)
    picture.paste(Image.fromarray(mixed), (0, 0))
    pen = ImageDraw.Draw(picture)
    for line, (name, share) in enumerate(shares.items()):
        x, y = width + MARGIN, MARGIN + line * LINE_HEIGHT
        pen.rectangle((x, y, x + 12, y + 12), fill=mask.palette[mask.class_names.index(name)])
        pen.text((x + 18, y), f'{name} {share:.1%}', fill=TEXT)
    _save(picture, path)


def _save(picture: Any, path: str | Path) -> None:
    """Write a picture whole or not at all."""
    with atomic_write(path) as file:
        picture.save(file, format='PNG')
