"""Ignored regions: what lies in them takes no part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.visdrone import CATEGORY
from pointkd.evaluation.jit import kernel
from pointkd.evaluation.visdrone.rows import RowTable
from pointkd.evaluation.visdrone.rules import IGNORED_REGION

DROP_SHARE = 0.5  # a box of which this share is covered is dropped


def drop_ignored(
    labels: RowTable, detections: RowTable, sizes: np.ndarray, name: Callable[[int], str]
) -> tuple[RowTable, RowTable]:
    """Take away the ignored regions, and the labels and detections of which half or more lies in them.

    Args:
        labels, detections: rows of the same F images.
        sizes: (F, 2) float64, width and height of the images; NaN where unknown.
        name: how messages call an image, by its number.

    Returns:
        The labels and detections that are left, numbers and order as before.

    Raises:
        DataError: an image with ignored regions has no known size.
    """
    is_region = labels.values[:, CATEGORY] == IGNORED_REGION
    regions = labels.only(is_region)
    with_regions = np.flatnonzero(np.diff(regions.starts))
    unknown = with_regions[np.isnan(sizes[with_regions]).any(axis=1)]
    if unknown.size:
        more = f' (and of {unknown.size - 1} more)' if unknown.size > 1 else ''
        raise DataError(
            f'{name(int(unknown[0]))}: has ignored regions, for which the size of its image is needed{more}: '
            'give --sizes (a JSON file {"STEM": [width, height]}) or --images (the folder of the images)'
        )
    rest = labels.only(~is_region)
    kept_labels = covered_shares(rest.boxes, rest.starts, regions.boxes, regions.starts, sizes) < DROP_SHARE
    kept = covered_shares(detections.boxes, detections.starts, regions.boxes, regions.starts, sizes) < DROP_SHARE
    return rest.only(kept_labels), detections.only(kept)


@kernel
def covered_shares(boxes, starts, regions, region_starts, sizes):  # type: ignore[no-untyped-def]
    """Return the share of each box that ignored regions cover, as the toolkit counts pixels.

    The toolkit paints the regions on a mask of the image and reads it through an integral image, which leaves out the
    first row and column of a box. Here the same pixels are counted without the mask: the union of the regions is
    measured inside each box, exactly, in whole numbers held as float64.

    Args:
        boxes: (N, 4) x, y, width, height.
        starts: (F+1,) first box of each image.
        regions: (R, 4), likewise.
        region_starts: (F+1,).
        sizes: (F, 2) width and height of the images.

    Returns:
        (N,) float64, 0 in images without regions.
    """
    shares = np.zeros(len(boxes))
    for image in range(starts.size - 1):
        first, last = region_starts[image], region_starts[image + 1]
        if first == last:
            continue
        width, height = sizes[image, 0], sizes[image, 1]
        painted = _painted(regions[first:last], width, height)
        for row in range(starts[image], starts[image + 1]):
            x, y = max(1.0, _rounded(boxes[row, 0])), max(1.0, _rounded(boxes[row, 1]))
            w, h = max(1.0, _rounded(boxes[row, 2])), max(1.0, _rounded(boxes[row, 3]))
            x, y = min(x, width), min(y, height)
            shares[row] = _union_within(painted, x, y, min(x + w, width), min(y + h, height)) / (w * h)
    return shares


@kernel
def _rounded(value):  # type: ignore[no-untyped-def]
    """Return the nearest whole number, halves away from zero."""
    size = abs(value)
    whole = np.floor(size)
    if size - whole >= 0.5:
        whole += 1.0
    return whole if value >= 0 else -whole


@kernel
def _painted(regions, width, height):  # type: ignore[no-untyped-def]
    """Return (K, 4) left, top, right, bottom of the painted pixels, as half-open ranges (left, right], by rising top.

    A region paints the columns x to x + w, both included, so the range begins one before x.
    """
    painted = np.empty((len(regions), 4))
    count = 0
    for row in range(len(regions)):
        x, y = max(1.0, _rounded(regions[row, 0])), max(1.0, _rounded(regions[row, 1]))
        w, h = max(1.0, _rounded(regions[row, 2])), max(1.0, _rounded(regions[row, 3]))
        right, bottom = min(x + w, width), min(y + h, height)
        if x <= right and y <= bottom:
            painted[count, 0], painted[count, 1], painted[count, 2], painted[count, 3] = x - 1, y - 1, right, bottom
            count += 1
    return painted[:count][np.argsort(painted[:count, 1])]


@kernel
def _union_within(painted, left, top, right, bottom):  # type: ignore[no-untyped-def]
    """Return how many pixels of the box (left, right] x (top, bottom] are painted."""
    edges = np.empty(2 * len(painted))
    near = np.empty(len(painted), np.int64)
    count = 0
    for row in range(len(painted)):
        begin, end = max(painted[row, 0], left), min(painted[row, 2], right)
        if begin < end and painted[row, 1] < bottom and painted[row, 3] > top:
            edges[2 * count], edges[2 * count + 1] = begin, end
            near[count] = row
            count += 1
    if count == 0:
        return 0.0
    ordered = np.sort(edges[: 2 * count])
    area = 0.0
    for index in range(ordered.size - 1):  # strips in which the same regions reach from side to side
        begin, end = ordered[index], ordered[index + 1]
        if begin == end:
            continue
        length, reached = 0.0, top
        for row in near[:count]:  # by rising top
            if painted[row, 0] <= begin and painted[row, 2] >= end:
                lower, upper = max(painted[row, 1], reached), min(painted[row, 3], bottom)
                if upper > lower:
                    length += upper - lower
                    reached = upper
        area += length * (end - begin)
    return area
