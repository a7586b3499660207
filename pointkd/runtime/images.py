"""Images as arrays: reading files, and resizing as OpenCV does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointkd.core.check import check_shape
from pointkd.core.errors import DataError


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file.

    Args:
        path: PNG, JPEG or whatever else Pillow reads; grey and palette images become RGB, transparency is dropped.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: the file is missing, truncated or no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert('RGB'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f'{path}: can not be read as an image ({error})') from error


def resize_bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image as OpenCV's `INTER_LINEAR`: between the four nearest pixel centres, without smoothing.

    With OpenCV's integer arithmetic (weights in steps of 1/2048), so that a net sees the grey levels that it was
    trained and tested on: rounding to the nearest level instead would change every tenth of them by one.

    Args:
        image: (H, W, C) uint8.
        size: height and width to give it.

    Returns:
        (height, width, C) uint8.
    """
    check_shape(image, 'H W C', 'image')
    if image.shape[:2] == tuple(size):
        return image
    top, bottom, down = _neighbours(image.shape[0], size[0])
    left, right, across = _neighbours(image.shape[1], size[1])
    levels = image.astype(np.int32)
    rows = sum(levels[:, side] * weight[:, None] for side, weight in zip((left, right), _steps(across), strict=True))
    mixed = sum(
        ((rows[side] >> 4) * weight[:, None, None]) >> 16
        for side, weight in zip((top, bottom), _steps(down), strict=True)
    )
    return np.clip((mixed + 2) >> 2, 0, 255).astype(np.uint8)


def _steps(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the first and the second neighbour as whole numbers of 1/2048."""
    return np.rint((1 - weight) * 2048).astype(np.int32), np.rint(weight * 2048).astype(np.int32)


def resize_scores(scores: np.ndarray, size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
    """Resize class scores as torch's bilinear interpolation does.

    Args:
        scores: (C, H, W) float32.
        size: height and width to give them.
        align_corners: the corner pixels' centres, not their outer corners, stay where they are.

    Returns:
        (C, height, width) float32.
    """
    if scores.shape[1:] == tuple(size):
        return scores
    top, bottom, down = _neighbours(scores.shape[1], size[0], align_corners)
    left, right, across = _neighbours(scores.shape[2], size[1], align_corners)
    rows = scores[:, top] + (scores[:, bottom] - scores[:, top]) * down[:, None]  # (C, height, W)
    return rows[..., left] + (rows[..., right] - rows[..., left]) * across


def _neighbours(old: int, new: int, align_corners: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each pixel of a new axis, the two old ones around it, and how far it lies towards the second."""
    number = np.arange(new, dtype=np.float64)
    place = number * ((old - 1) / max(new - 1, 1)) if align_corners else (number + 0.5) * (old / new) - 0.5
    place = place.astype(np.float32)
    first = np.floor(place)
    weight = place - first
    low = np.clip(first, 0, old - 1).astype(np.int64)
    return low, np.clip(first + 1, 0, old - 1).astype(np.int64), weight
