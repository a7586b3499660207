"""The annotation of a picture, from what is drawn: whole pixels, visible shares, cut objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointkd.datasets.synthetic_aerial.canvas import ZOOM, Drawn
from pointkd.datasets.synthetic_aerial.classes import IGNORED, category
from pointkd.datasets.synthetic_aerial.measure import CUT_SHARE, Labels
from pointkd.datasets.synthetic_aerial.scene import Item

HIDDEN, HALF_HIDDEN = 0.01, 0.5  # hidden shares from which an object counts as occluded 1 and 2
MIN_SEEN = 0.1  # an object of which less is visible nobody would have labelled; it is part of an ignored region
UNSEEN = 0.02  # and of which less than this is visible has no row at all
MIN_SIDE_PX, MIN_AREA_PX = 2, 10


@dataclass(frozen=True)
class Row:
    """A line of an annotation file: x y width height in pixels, category, truncation 0 or 1, occlusion 0 to 2."""

    box: tuple[int, int, int, int]
    category: int
    truncation: int
    occlusion: int

    def text(self) -> str:
        """Return the eight columns; the score is 0 for an ignored region, else 1."""
        score = 0 if self.category == IGNORED else 1
        return ','.join(map(str, (*self.box, score, self.category, self.truncation, self.occlusion)))


def label(items: Sequence[Item], drawn: Sequence[Drawn | None], seen: np.ndarray) -> list[Row]:
    """Return the rows of a picture: objects in the order of the items, then ignored regions.

    A box is that of the whole object, hidden parts included, cut to the image. Objects that are cut to less than half,
    hardly visible or tiny become ignored regions, and so does a crowd as a whole.
    """
    rows, ignored, crowd = [], [], []
    for item, mask, visible in zip(items, drawn, seen, strict=True):
        if not item.name or mask is None or mask.inside is None or visible < UNSEEN * mask.area_inside:
            continue
        box = whole_pixels(mask.inside)
        shown, cut = visible / mask.area_inside, 1.0 - mask.area_inside / mask.area
        if item.crowd:
            crowd.append(box)
        elif cut > CUT_SHARE or shown < MIN_SEEN or too_small(box):
            ignored.append(Row(box, IGNORED, 0, 0))
        else:
            level = 0 if shown >= 1.0 - HIDDEN else 1 if shown >= HALF_HIDDEN else 2
            rows.append(Row(box, category(item.name), int(cut > 0), level))
    if crowd:
        ignored.append(Row(union(crowd), IGNORED, 0, 0))
    return rows + ignored


def too_small(box: tuple[int, int, int, int]) -> bool:
    """Return whether a box (x y width height) is too small to tell what it holds."""
    return min(box[2:]) < MIN_SIDE_PX or box[2] * box[3] < MIN_AREA_PX


def whole_pixels(extent: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return x y width height of the image's pixels that a zoomed extent touches.

    Example:
        >>> whole_pixels((3, 4, 8, 9))
        (1, 2, 3, 3)
    """
    left, top, right, bottom = extent
    x, y = left // ZOOM, top // ZOOM
    return x, y, -(-right // ZOOM) - x, -(-bottom // ZOOM) - y


def union(boxes: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """Return the box around boxes (x y width height).

    Example:
        >>> union([(1, 2, 3, 4), (10, 0, 2, 2)])
        (1, 0, 11, 6)
    """
    table = np.array(boxes)
    low, high = table[:, :2].min(axis=0), (table[:, :2] + table[:, 2:]).max(axis=0)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def as_labels(rows: Sequence[Row], side: int) -> Labels:
    """Return rows in the form that `measure` reads."""
    boxes = np.array([row.box for row in rows], dtype=float).reshape(-1, 4) / side
    columns = np.array([(row.category, row.truncation, row.occlusion) for row in rows], dtype=int).reshape(-1, 3)
    return Labels(boxes, columns[:, 0], columns[:, 1], columns[:, 2])
