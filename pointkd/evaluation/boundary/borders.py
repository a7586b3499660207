"""Compiled: where labels meet, and how far that is. Results go into arrays of the caller: fresh memory takes time."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

VOID = 255  # the label of a pixel that takes no part
BLOCK = 16
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
def mark_distances(borders, reach, squares):  # type: ignore[no-untyped-def]
    """Write the squared distance of each pixel to the nearest border pixel of any label.

    First along the columns, then along the rows; all sums have 16 bits, so that a processor does many at once.

    Args:
        borders: (H, W) uint8, see `mark_borders`.
        reach: whole pixels of interest, 1..MAX_REACH.
        squares: (H, W) uint16, written: exact below (reach + 1)**2; what is farther has that value or a greater one.
    """
    _count_rows(borders, np.uint16(reach + 1), squares)
    height, width = borders.shape
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
def _count_rows(borders, far, steps):  # type: ignore[no-untyped-def]
    """Write how many rows each pixel is away from the nearest border pixel of its column, at most far."""
    height, width = borders.shape
    last = np.full(width, far, np.uint16)
    for y in range(height):
        own, row = borders[y], steps[y]
        for x in range(width):
            step = np.uint16(0) if own[x] != VOID else min(np.uint16(last[x] + 1), far)
            last[x] = step
            row[x] = step
    for y in range(height - 2, -1, -1):
        row, below = steps[y], steps[y + 1]
        for x in range(width):
            row[x] = min(row[x], np.uint16(below[x] + 1))


@kernel
def mark_void_blocks(labels, reach, blocks):  # type: ignore[no-untyped-def]
    """Write which blocks of BLOCK pixels of a row may have a VOID pixel within a distance.

    Args:
        labels: (H, W) uint8.
        reach: the distance, whole pixels.
        blocks: (H, ceil(W / BLOCK)) bool, written.
    """
    height, width = labels.shape
    many, aside = blocks.shape[1], (reach + BLOCK - 1) // BLOCK
    rows_left = np.zeros(many, np.int64)  # by block: how many rows, this one first, are within the distance
    for y in range(height):
        for block in range(many):
            row = labels[y, block * BLOCK : min((block + 1) * BLOCK, width)]
            found = False
            for x in range(row.size):
                found |= row[x] == VOID
            if found:
                for other in range(max(block - aside, 0), min(block + aside + 1, many)):
                    if rows_left[other] <= reach:
                        blocks[max(y - reach, 0) : y, other] = True
                    rows_left[other] = reach + 1
        for block in range(many):
            blocks[y, block] = rows_left[block] > 0
            rows_left[block] -= 1
