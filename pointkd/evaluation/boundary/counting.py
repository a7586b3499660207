"""Compiled: which pixels lie near a border of their own label, and the counts of one image."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

VOID, BLOCK = 255, 16  # as in borders.py: constants stand in a kernel's own file, by which numba knows its cached code


@kernel
def mark_bands(labels, borders, squares, void_blocks, offsets, begins, bands):  # type: ignore[no-untyped-def]
    """Write which pixels lie in the inner band of their label: within a disc around them is a border pixel of it.

    The nearest border pixel of any label tells it where no VOID lies in the disc: on the way there, by rows and
    columns within the disc, the label must end, and ends at a border. Only near VOID its border is searched for.

    Args:
        labels, borders: (H, W) uint8, see `mark_borders`.
        squares: (H, W) uint16, see `mark_distances`, of the borders.
        void_blocks: (H, B) bool, see `mark_void_blocks`, for at least the disc's radius.
        offsets, begins: the disc, see `discs.Disc`.
        bands: (H, W) bool, written.
    """
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            near = labels[y, x] != VOID and squares[y, x] < begins.size
            if near and void_blocks[y, x // BLOCK]:
                near = _finds(borders, labels[y, x], y, x, offsets, begins[squares[y, x]])
            bands[y, x] = near


@kernel
def count_matched(borders, others, squares, offsets, begins, classes):  # type: ignore[no-untyped-def]
    """Count border pixels by label, and those near a border pixel of the same label in another image.

    Args:
        borders, others: (H, W) uint8, see `mark_borders`.
        squares: (H, W) uint16, see `mark_distances`, of the others.
        offsets, begins: the disc, see `discs.Disc`.
        classes: number of labels.

    Returns:
        (classes,) int64 border pixels; (classes,) int64 those that are matched.
    """
    present, matched = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    for y in range(borders.shape[0]):
        for x in range(borders.shape[1]):
            label = borders[y, x]
            if label != VOID:
                present[label] += 1
                if squares[y, x] < begins.size:
                    matched[label] += _finds(others, label, y, x, offsets, begins[squares[y, x]])
    return present, matched


@kernel
def _finds(borders, label, y, x, offsets, begin):  # type: ignore[no-untyped-def]
    """Return whether a border pixel of a label lies in a disc, from a certain offset on."""
    height, width = borders.shape
    for place in range(begin, offsets.shape[0]):
        row, column = y + offsets[place, 0], x + offsets[place, 1]
        if 0 <= row < height and 0 <= column < width and borders[row, column] == label:
            return True
    return False


@kernel
def count_trimaps(squares, limits, labels, predictions, classes):  # type: ignore[no-untyped-def]
    """Count pairs of label and prediction near the borders of the labels.

    Args:
        squares: (H, W) uint16, see `mark_distances`, of the borders of the labels.
        limits: (R,) int64, squared radii, from small to great.
        labels, predictions: (H, W) uint8.
        classes: number of labels.

    Returns:
        (R, classes, classes + 1) int64, one matrix a radius, rows are labels; the last column counts VOID.
    """
    counts = np.zeros((limits.size, classes, classes + 1), np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            square, label = squares[y, x], labels[y, x]
            if square <= limits[-1] and label != VOID:
                level = 0
                while square > limits[level]:
                    level += 1
                counts[level, label, min(predictions[y, x], classes)] += 1
    for level in range(1, limits.size):  # a wider trimap holds the narrower ones
        counts[level] += counts[level - 1]
    return counts


@kernel
def count_bands(bands, labels, other_bands, predictions, classes):  # type: ignore[no-untyped-def]
    """Count the pixels of two images' inner bands by class.

    Args:
        bands, labels: (H, W) bool and uint8, bands and labels of one image.
        other_bands, predictions: those of the other.
        classes: number of labels.

    Returns:
        (classes,) int64 pixels in both bands of the class; (classes,) int64 pixels in either.
    """
    both, either = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            first, second = bands[y, x], other_bands[y, x]
            if first and second and labels[y, x] == predictions[y, x]:
                both[labels[y, x]] += 1
                either[labels[y, x]] += 1
                continue
            if first:
                either[labels[y, x]] += 1
            if second:
                either[predictions[y, x]] += 1
    return both, either


@kernel
def mask_and_survey(labels, predictions, masked):  # type: ignore[no-untyped-def]
    """Write the predictions, VOID where the label is; return which values occur.

    Args:
        labels, predictions: (H, W) uint8.
        masked: (H, W) uint8, written.

    Returns:
        (256,) bool, by value, of the labels; (256,) bool, of the predictions where the label is not VOID.
    """
    labelled, predicted = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    for y in range(labels.shape[0]):
        own, guess, out = labels[y], predictions[y], masked[y]
        for x in range(labels.shape[1]):
            out[x] = np.uint8(VOID) if own[x] == VOID else guess[x]
        label, prediction = own[0], out[0]
        labelled[label] = True
        if label != VOID:
            predicted[prediction] = True
        for x in range(1, labels.shape[1]):
            if (own[x] != label) | (out[x] != prediction):  # neighbours are mostly alike
                label, prediction = own[x], out[x]
                labelled[label] = True
                if label != VOID:
                    predicted[prediction] = True
    return labelled, predicted
