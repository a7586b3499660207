"""Where a mask is wrong near the borders of the true one, as a picture."""

from __future__ import annotations

import numpy as np

from pointkd.core.check import check_shape

RIGHT, WRONG = (70, 170, 90), (225, 60, 50)
DIMMED = 0.35  # of the image elsewhere
REACH = 5.0  # pixels from a border


def edge_errors(
    image: np.ndarray, truth: np.ndarray, labels: np.ndarray, *, void: int = 255, reach: float = REACH
) -> np.ndarray:
    """Colour the pixels near true borders: green where a mask is right, red where it is wrong.

    A border is a pixel with a 4-neighbour of another class; void makes none and is not judged.

    Args:
        image: (H, W, 3) uint8, RGB; shown dimmed elsewhere.
        truth: (H, W) true labels.
        labels: (H, W) labels of the mask.
        void: label that counts nowhere.
        reach: Euclidean distance in pixels within which a border is near.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ShapeError: sizes differ.
    """
    height, width = truth.shape
    check_shape(image, f'{height} {width} 3', 'image')
    check_shape(labels, f'{height} {width}', 'labels')
    picture = (image * DIMMED).astype(np.uint8)
    near = near_borders(truth, void, reach) & (truth != void)
    picture[near & (labels == truth)] = RIGHT
    picture[near & (labels != truth)] = WRONG
    return picture


def near_borders(labels: np.ndarray, void: int = 255, reach: float = REACH) -> np.ndarray:
    """Return which pixels (H, W) lie within a Euclidean distance of a border between two classes."""
    import cv2

    borders = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        rows = np.moveaxis(labels, axis, 0)
        differ = (rows[1:] != rows[:-1]) & (rows[1:] != void) & (rows[:-1] != void)
        marked = np.moveaxis(borders, axis, 0)  # a view
        marked[1:] |= differ
        marked[:-1] |= differ
    if not borders.any():
        return borders
    distance = cv2.distanceTransform((~borders).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= reach)
