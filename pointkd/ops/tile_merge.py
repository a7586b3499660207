"""Joins the boxes that a detector found in overlapping tiles of one image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, nearest
from pointkd.ops.jit import jit

MEASURES = ('iou', 'ios')  # intersection over union, or over the smaller box
MODES = ('nms', 'nmm')  # the best box stays as it is, or grows to hold those that it takes in


def check_merging(threshold: float, measure: str, mode: str) -> None:
    """Raise unless boxes can be merged with these settings, see `merge_tile_boxes`.

    Raises:
        ConfigError: the threshold is not above 0 and up to 1, or measure or mode is unknown.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f'overlap of boxes that are one object: expected above 0 and up to 1, got {threshold!r}')
    if measure not in MEASURES:
        raise ConfigError(f'measure of overlap: no {measure!r}, {nearest(measure, MEASURES)}')
    if mode not in MODES:
        raise ConfigError(f'mode of merging: no {mode!r}, {nearest(mode, MODES)}')


def merge_tile_boxes(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    tiles: Tensor,
    *,
    threshold: float = 0.5,
    measure: str = 'ios',
    mode: str = 'nmm',
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each object once.

    From the highest score down, a box takes in boxes of its class from other tiles that overlap it by the threshold or
    more: at most one of each tile, the nearest by intersection over union first. Boxes of one tile never meet: the
    detector's own suppression has judged them, and in a crowd they are different objects. Of an object that a tile's
    border cuts, `'ios'` finds the part inside the whole; `'nmm'` (non-maximum merging) lets the box grow with each one
    that it takes in, so that the whole is found even where a part has the highest score.

    Args:
        boxes: (N, 4) float, x1, y1, x2, y2 in the whole image.
        scores: (N,) float.
        labels: (N,) int64, classes.
        tiles: (N,) int64, which tile each box was found in.
        threshold, measure, mode: see above.

    Returns:
        boxes (K, 4), scores (K,), labels (K,), by falling score (equal scores in the order given).

    Raises:
        ShapeError: shapes do not fit.
        ConfigError: see `check_merging`.

    Cost: O(N²) time in the worst case, O(N) memory.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 10, 10]])
        >>> scores, classes = torch.tensor([0.5, 0.9]), torch.tensor([0, 0])
        >>> merge_tile_boxes(boxes, scores, classes, torch.tensor([0, 1]))[0].tolist()
        [[0.0, 0.0, 10.0, 10.0]]
    """
    check_merging(threshold, measure, mode)
    count = check_shape(boxes, 'N 4', 'boxes')['N']
    for name, values in (('scores', scores), ('labels', labels), ('tiles', tiles)):
        check_shape(values, str(count), name)
    order = torch.sort(scores, descending=True, stable=True).indices
    ordered = boxes[order].detach().cpu().double().numpy()
    numbers = np.unique(tiles[order].cpu().numpy(), return_inverse=True)[1]
    kept, merged = _merge(ordered, labels[order].cpu().numpy(), numbers, threshold, measure == 'ios', mode == 'nmm')
    chosen = order[torch.from_numpy(kept).to(order.device)]
    return torch.from_numpy(merged[kept]).to(boxes), scores[chosen], labels[chosen]


@jit
def _merge(boxes, labels, tiles, threshold, over_smaller, grow):  # type: ignore[no-untyped-def]
    """Return which of the boxes (N, 4), best first, are kept (N,) bool, and what they have grown to (N, 4)."""
    kept = np.ones(len(boxes), np.bool_)
    merged = boxes.copy()
    used = np.zeros(len(boxes), np.bool_)  # tiles that the group has a box of; their numbers are below N
    for best in range(len(boxes)):
        if not kept[best]:
            continue
        used[:] = False
        used[tiles[best]] = True
        while True:
            nearest_one, greatest = -1, 0.0
            for other in range(best + 1, len(boxes)):
                if not kept[other] or labels[other] != labels[best] or used[tiles[other]]:
                    continue
                if _overlap(merged[best], boxes[other], over_smaller) >= threshold:
                    overlap = _overlap(merged[best], boxes[other], False)
                    if overlap > greatest:
                        nearest_one, greatest = other, overlap
            if nearest_one < 0:
                break
            kept[nearest_one], used[tiles[nearest_one]] = False, True
            if grow:
                for side in range(2):
                    merged[best, side] = min(merged[best, side], boxes[nearest_one, side])
                    merged[best, side + 2] = max(merged[best, side + 2], boxes[nearest_one, side + 2])
    return kept, merged


@jit
def _overlap(first, second, over_smaller):  # type: ignore[no-untyped-def]
    """Return the overlap of two boxes, 0 where one has no area."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    one, other = (first[2] - first[0]) * (first[3] - first[1]), (second[2] - second[0]) * (second[3] - second[1])
    return shared / min(one, other) if over_smaller else shared / (one + other - shared)
