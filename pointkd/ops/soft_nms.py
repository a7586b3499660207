"""Soft non-maximum suppression: overlapping boxes lose score instead of going.

Source: Bodla et al., Soft-NMS, 2017, with the variants of mmcv's kernel (`offset`, the naive method, an IoU equal to
the threshold counts). Equal scores come out in the order in which mmcv's kernel leaves them: it swaps the best box to
the front and the last box into the place of a dropped one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.ops.box_overlaps import bbox_overlaps
from pointkd.ops.jit import jit

METHODS = ('naive', 'linear', 'gaussian')


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    *,
    method: str = 'linear',
    offset: int = 0,
) -> tuple[Tensor, Tensor]:
    """Take the best box, lower the scores of those that overlap it, drop those below `min_score`, and so on.

    A score is multiplied, for the IoU u with the box taken, by exp(-u² / sigma) (`gaussian`), by 1 - u where u reaches
    the threshold (`linear`), or by 0 there (`naive`).

    Args:
        boxes: (N, 4) float; x1, y1, x2, y2.
        scores: (N,) float.
        threshold: IoU from which `linear` and `naive` act.
        sigma: width of `gaussian`.
        min_score: a box whose score falls below is dropped.
        method: `'naive'`, `'linear'` or `'gaussian'`.
        offset: added to every width and height: 1 where the last pixel belongs to the box, else 0.

    Returns:
        dets (K, 5), boxes with the score at which they were taken; (K,) int64 their numbers; in the order of taking.

    Raises:
        ShapeError: shapes do not fit.
        ConfigError: another method.

    Cost: O(N K) time, O(N) memory.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4], [9, 9, 12, 12]])
        >>> soft_nms(boxes, torch.tensor([0.5, 0.9, 0.3]))[1].tolist()
        [1, 2]
    """
    if method not in METHODS:
        raise ConfigError(f'method: expected one of {", ".join(METHODS)}, got {method!r}')
    count = check_shape(boxes, 'N 4', 'boxes')['N']
    check_shape(scores, str(count), 'scores')
    boxes, scores = boxes.detach(), scores.detach().to(boxes.dtype)
    if boxes.device.type == 'cpu' and boxes.dtype in (torch.float32, torch.float64):
        return _soft_nms_numba(boxes, scores, threshold, sigma, min_score, method, offset)
    return _soft_nms_torch(boxes, scores, threshold, sigma, min_score, method, offset)


def _soft_nms_torch(
    boxes: Tensor, scores: Tensor, threshold: float, sigma: float, min_score: float, method: str, offset: int
) -> tuple[Tensor, Tensor]:
    """Take one box a round from a pool; the reference of `_take_loop`."""
    pool, scores = torch.arange(len(boxes), device=boxes.device), scores.clone()
    taken, values = [], []
    while len(pool):
        place = int(torch.argmax(scores[pool]))
        best, pool[place] = pool[place].clone(), pool[0].clone()
        taken.append(best)
        values.append(scores[best].clone())
        pool = pool[1:]
        overlap = bbox_overlaps(boxes[best][None], boxes[pool], offset=offset)[0]
        scores[pool] *= _weight(overlap, threshold, sigma, method)
        pool = _drop(pool, scores[pool] < min_score)
    if not taken:
        return boxes.new_zeros(0, 5), pool
    index = torch.stack(taken)
    return torch.cat([boxes[index], torch.stack(values)[:, None]], dim=1), index


def _weight(overlap: Tensor, threshold: float, sigma: float, method: str) -> Tensor:
    """Return the factors (M,) of the scores for the overlaps (M,) with the box just taken."""
    if method == 'gaussian':
        return torch.exp(-(overlap * overlap) / sigma)
    lowered = 1 - overlap if method == 'linear' else torch.zeros_like(overlap)
    return torch.where(overlap >= threshold, lowered, 1.0)


def _drop(pool: Tensor, dropped: Tensor) -> Tensor:
    """Remove entries from the pool (M,): the last survivors move into the gaps, the very last into the first gap."""
    count = int((~dropped).sum())
    gaps = dropped[:count].nonzero().squeeze(1)
    movers = (~dropped[count:]).nonzero().squeeze(1).flip(0) + count
    pool = pool.clone()
    pool[gaps] = pool[movers]
    return pool[:count]


def _soft_nms_numba(
    boxes: Tensor, scores: Tensor, threshold: float, sigma: float, min_score: float, method: str, offset: int
) -> tuple[Tensor, Tensor]:
    array = boxes.contiguous().numpy()
    number = array.dtype.type
    dets = np.empty((len(array), 5), array.dtype)
    index = np.arange(len(array))
    settings = np.array([threshold, sigma, min_score, offset], array.dtype)
    count = _take_loop(array.copy(), scores.numpy().copy(), index, dets, settings, METHODS.index(method), number(0))
    return torch.from_numpy(dets[:count]), torch.from_numpy(index[:count])


@jit
def _take_loop(
    boxes: np.ndarray,
    scores: np.ndarray,
    index: np.ndarray,
    dets: np.ndarray,
    settings: np.ndarray,
    method: int,
    zero: np.floating,
) -> int:
    """Fill dets (N, 5) and index (N,), and return how many boxes were taken.

    Boxes (N, 4), scores (N,) and index are reordered: those taken, then the pool. Settings are threshold, sigma, lowest
    score and offset, of the boxes' type like `zero`, so that no number is promoted.
    """
    threshold, sigma, min_score, offset = settings
    one = zero + np.int8(1)
    count = len(boxes)
    first = 0
    while first < count:
        best = first + np.argmax(scores[first:count])
        _swap(boxes, scores, index, first, best)
        dets[first, :4] = boxes[first]
        dets[first, 4] = scores[first]
        width0 = boxes[first, 2] - boxes[first, 0] + offset
        height0 = boxes[first, 3] - boxes[first, 1] + offset
        place = first + 1
        while place < count:
            width = min(boxes[first, 2], boxes[place, 2]) - max(boxes[first, 0], boxes[place, 0]) + offset
            height = min(boxes[first, 3], boxes[place, 3]) - max(boxes[first, 1], boxes[place, 1]) + offset
            common = max(width, zero) * max(height, zero)
            area = (boxes[place, 2] - boxes[place, 0] + offset) * (boxes[place, 3] - boxes[place, 1] + offset)
            overlap = common / (width0 * height0 + area - common)
            weight = one
            if method == 2:
                weight = np.exp(-(overlap * overlap) / sigma)
            elif overlap >= threshold:
                weight = one - overlap if method == 1 else zero
            scores[place] *= weight
            if scores[place] < min_score:
                count -= 1
                _swap(boxes, scores, index, place, count)
            else:
                place += 1
        first += 1
    return count


@jit
def _swap(boxes: np.ndarray, scores: np.ndarray, index: np.ndarray, i: int, j: int | np.integer) -> None:
    """Exchange two boxes with their scores and numbers."""
    for column in range(boxes.shape[1]):
        boxes[i, column], boxes[j, column] = boxes[j, column], boxes[i, column]
    scores[i], scores[j] = scores[j], scores[i]
    index[i], index[j] = index[j], index[i]
