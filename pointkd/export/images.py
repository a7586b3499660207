"""Images to verify and to time with: files of a folder, or made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.runtime.images import read_image

ENDINGS = ('.png', '.jpg', '.jpeg')


def read_images(folder: str | Path, count: int) -> list[np.ndarray]:
    """Read image files, spread evenly over a folder and what lies below it.

    Args:
        folder: with `*.png` or `*.jpg` files.
        count: at most so many.

    Returns:
        Images (H, W, 3) uint8, RGB.

    Raises:
        DataError: there is none, or one is broken.
    """
    files = sorted(path for path in Path(folder).rglob('*') if path.suffix.lower() in ENDINGS)
    if not files:
        raise DataError(f'{folder}: no image ({", ".join(ENDINGS)}) there, nor below it')
    chosen = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    return [read_image(files[index]) for index in chosen]


def made_up_images(count: int, size: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """Make images of smooth colour with sharp objects and a little noise.

    Args:
        count: how many.
        size: height and width.
        seed: the same images for the same seed.

    Returns:
        Images (H, W, 3) uint8.
    """
    random = np.random.default_rng(seed)
    return [_made_up_image(random, *size) for _ in range(count)]


def crops_of(images: Sequence[np.ndarray], shapes: Sequence[tuple[int, int, int]], seed: int = 0) -> list[np.ndarray]:
    """Cut batches out of images, which are repeated where they are too small.

    Args:
        images: each (H, W, 3).
        shapes: batch, height and width of each batch.
        seed: the same places for the same seed.

    Returns:
        Batches (N, height, width, 3) of the images' type.
    """
    random = np.random.default_rng(seed)
    return [
        np.stack([_crop(images[number % len(images)], (height, width), random) for number in range(batch)])
        for batch, height, width in shapes
    ]


def _crop(image: np.ndarray, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Cut a part of some size out of an image."""
    height, width = size
    whole = np.tile(image, (-(-height // image.shape[0]), -(-width // image.shape[1]), 1))
    top = int(random.integers(0, whole.shape[0] - height + 1))
    left = int(random.integers(0, whole.shape[1] - width + 1))
    return whole[top : top + height, left : left + width]


def _made_up_image(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Make one image."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    image = np.full((height, width, 3), 128, dtype=np.float32)
    for channel in range(3):
        for _ in range(4):
            down, across = random.uniform(0, 0.15, 2)
            image[..., channel] += 32 * np.sin(down * y + across * x + random.uniform(0, 6.3))
    for _ in range(12):
        top, left = random.integers(0, height), random.integers(0, width)
        image[top : top + random.integers(4, 80), left : left + random.integers(4, 80)] = random.uniform(0, 255, 3)
    return np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
