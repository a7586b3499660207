"""Compiled: where labels meet, and how far that is. Results go into arrays of the caller: fresh memory takes time."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

VOID = 255  # the label of a pixel that takes no part
MAX_REACH = 180  # of mark_distances: the largest sum, reach**2 + (reach + 1)**2, is a uint16 up to here


@kernel
def mark_borders(labels, borders):  # type: ignore[no-untyped-def]
    """Write the label of each border pixel, VOID elsewhere.

    A labelled pixel is a border pixel where one of its 4 neighbours has another label. VOID is no label: next to it,
    and at the rim of the image, there is no border.

    Args:
        labels: (H, W) uint8.
        borders: (H, W) uint8, written.
    """
    height, width = labels.shape
    for y in range(height):  # without branches in the inner loops: a processor does many pixels at once
        here, above, below, own = labels[y], labels[max(y - 1, 0)], labels[min(y + 1, height - 1)], borders[y]
        for x in range(width):
            meets_above = (above[x] != here[x]) & (above[x] != VOID)
            meets_below = (below[x] != here[x]) & (below[x] != VOID)
            own[x] = here[x] if meets_above | meets_below else np.uint8(VOID)
        left, right, own_left, own_right = here[: width - 1], here[1:], own[: width - 1], own[1:]
        for x in range(width - 1):
            meets = (left[x] != right[x]) & (left[x] != VOID) & (right[x] != VOID)
            own_left[x] = left[x] if meets else own_left[x]
        for x in range(width - 1):
            meets = (left[x] != right[x]) & (left[x] != VOID) & (right[x] != VOID)
            own_right[x] = right[x] if meets else own_right[x]


@kernel
def mark_distances(image, to_void, reach, squares):  # type: ignore[no-untyped-def]
    """Write the squared distance of each pixel to the nearest one that is VOID, or that is not.

    First along the columns, then along the rows; all sums have 16 bits, so that a processor does many at once.

    Args:
        image: (H, W) uint8.
        to_void: True: distance to VOID; False: to all but VOID.
        reach: whole pixels of interest, 1..MAX_REACH.
        squares: (H, W) uint16, written: exact below (reach + 1)**2; what is farther has that value or a greater one.
    """
    _count_rows(image, to_void, np.uint16(reach + 1), squares)
    height, width = image.shape
    padded = np.full(width + 2 * reach, np.uint16((reach + 1) ** 2), np.uint16)
    for y in range(height):
        best = squares[y]
        for x in range(width):
            best[x] = np.uint16(best[x] * best[x])
        padded[reach : reach + width] = best
        for shift in range(1, reach + 1):
            left, right = padded[reach - shift : reach - shift + width], padded[reach + shift : reach + shift + width]
            add = np.uint16(shift * shift)
            for x in range(width):
                best[x] = min(best[x], np.uint16(min(left[x], right[x]) + add))


@kernel
def _count_rows(image, to_void, far, steps):  # type: ignore[no-untyped-def]
    """Write how many rows each pixel is away from the nearest marked one of its column, at most far."""
    height, width = image.shape
    above = np.full(width, far, np.uint16)
    for y in range(height):
        for x in range(width):
            step = np.uint16(0) if (image[y, x] == VOID) == to_void else min(np.uint16(above[x] + 1), far)
            above[x] = step
            steps[y, x] = step
    for y in range(height - 2, -1, -1):
        for x in range(width):
            steps[y, x] = min(steps[y, x], np.uint16(steps[y + 1, x] + 1))
