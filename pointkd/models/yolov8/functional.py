"""The arithmetic of the detector as pure functions: tensors in, tensors out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softmax

from pointkd.core.errors import ConfigError, ShapeError

KINDS = ('iou', 'giou', 'diou', 'ciou')
LAST_BIN = 0.01  # a target stays so far below the last bin, so that it always lies between two


def dfl_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the distribution focal loss of distances that are predicted as distributions over bins.

    The cross-entropies of the two bins that a target y lies between, weighted by nearness:

        `L = (⌊y⌋ + 1 − y) · CE(⌊y⌋) + (y − ⌊y⌋) · CE(⌊y⌋ + 1)`.

    Args:
        logits: (..., K) of the bins 0 … K − 1.
        target: (...) distances in cells, clamped to [0, K − 1.01].

    Returns:
        (...) losses, float32 at least.

    Raises:
        ShapeError: the shapes do not fit, or there is but one bin.
    Source: Generalized Focal Loss (2006.04388), equation 6.

    Example:
        >>> logits = -0.5 * (torch.arange(16.0) - 4.3) ** 2
        >>> round(float(dfl_loss(logits, torch.tensor(4.6))), 4)
        1.0839
    """
    bins = logits.shape[-1] if logits.ndim else 0
    if bins < 2 or logits.shape[:-1] != target.shape:
        raise ShapeError(
            f'dfl_loss: expected logits (..., K) with K of 2 or more and a target of the same leading shape, got '
            f'{tuple(logits.shape)} and {tuple(target.shape)}'
        )
    target = _wide(target).clamp(0, bins - 1 - LAST_BIN)
    lower = target.long()  # (...)
    above = target - lower
    pair = torch.stack([lower, lower + 1], dim=-1)  # (..., 2)
    near = log_softmax(_wide(logits), dim=-1).gather(-1, pair)
    return -torch.lerp(near[..., 0], near[..., 1], above)


def expected_distances(logits: Tensor) -> Tensor:
    """Return the mean of each distribution over bins.

    Args:
        logits: (..., K) of the bins 0 … K − 1.

    Returns:
        (...) distances in cells, from 0 to K − 1.

    Example:
        >>> float(expected_distances(torch.zeros(16)))
        7.5
    """
    bins = torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    return softmax(logits, dim=-1) @ bins


def box_iou(a: Tensor, b: Tensor, kind: str = 'iou') -> Tensor:
    """Return the overlap of boxes, element by element.

    `iou` is intersection over union; `giou` subtracts the share of the smallest enclosing box that neither fills;
    `diou` the squared distance of the centres over the squared diagonal of the enclosing box; `ciou` also
    `α v`, where v compares the aspect ratios and `α = v / (1 − iou + v)` passes no gradient.

    Args:
        a: (..., 4) x1 y1 x2 y2.
        b: (..., 4), of a shape that broadcasts with a's: `box_iou(a[:, None], b[None])` compares all pairs.
        kind: `'iou'`, `'giou'`, `'diou'` or `'ciou'`.

    Returns:
        (...), float32 at least; iou in [0, 1], the others from −1 (−2 for ciou) to 1; 0 for two boxes without area
        at the same place.

    Raises:
        ConfigError: another kind.
        ShapeError: the last axis is not 4, or the shapes do not broadcast.
    Source: GIoU (1902.09630); DIoU and CIoU (1911.08287).

    Example:
        >>> boxes = torch.tensor([[10.0, 20, 50, 80], [15, 30, 60, 70]])
        >>> round(float(box_iou(boxes[0], boxes[1], 'ciou')), 4)
        0.4894
    """
    if kind not in KINDS:
        raise ConfigError(f'box_iou: no kind {kind!r}; choose one of {", ".join(KINDS)}')
    _check_boxes(a, b)
    a, b = _wide(a), _wide(b)
    ax1, ay1, ax2, ay2 = a.unbind(-1)
    bx1, by1, bx2, by2 = b.unbind(-1)
    width, height = torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1), torch.minimum(ay2, by2) - torch.maximum(ay1, by1)
    common = width.clamp(min=0) * height.clamp(min=0)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - common
    iou = common / _positive(union)
    if kind == 'iou':
        return iou
    width, height = torch.maximum(ax2, bx2) - torch.minimum(ax1, bx1), torch.maximum(ay2, by2) - torch.minimum(ay1, by1)
    if kind == 'giou':
        hull = width * height
        return iou - (hull - union) / _positive(hull)
    apart = ((bx1 + bx2 - ax1 - ax2).square() + (by1 + by2 - ay1 - ay2).square()) / 4
    overlap = iou - apart / _positive(width.square() + height.square())
    return overlap if kind == 'diou' else overlap - _aspect_penalty(a, b, iou.detach())


def decode(points: Tensor, distances: Tensor, stride: float | Tensor = 1.0) -> Tensor:
    """Return the boxes whose sides lie at given distances from anchor points.

    Args:
        points: (..., 2) x, y in cells.
        distances: (..., 4) left, top, right, bottom in cells, of a shape that broadcasts.
        stride: pixels a cell; a number, or (..., 1) where it differs from point to point.

    Returns:
        (..., 4) x1 y1 x2 y2 in pixels.

    Example:
        >>> decode(torch.tensor([3.5, 2.5]), torch.tensor([1.25, 0.5, 2.0, 3.75]), 8).tolist()
        [18.0, 16.0, 44.0, 50.0]
    """
    left_top, right_bottom = distances.split(2, dim=-1)
    return torch.cat([points - left_top, points + right_bottom], dim=-1) * stride


def encode(points: Tensor, boxes: Tensor, stride: float | Tensor = 1.0) -> Tensor:
    """Return the distances of boxes' sides from anchor points: the inverse of `decode`.

    Args:
        points: (..., 2) x, y in cells.
        boxes: (..., 4) x1 y1 x2 y2 in pixels.
        stride: as in `decode`.

    Returns:
        (..., 4) left, top, right, bottom in cells; negative where the point lies outside.
    """
    low, high = (boxes / stride).split(2, dim=-1)
    return torch.cat([points - low, high - points], dim=-1)


def anchor_points(sizes: Sequence[tuple[int, int]], strides: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the centres of the cells of all levels, row after row, level after level.

    Args:
        sizes: height, width of each level's map.
        strides: pixels a cell of each level.
        like: tensor whose type and device the result has.

    Returns:
        points: (A, 2) x, y in cells.
        stride: (A, 1) pixels a cell.
    """
    kind = {'dtype': like.dtype, 'device': like.device}
    points, stride = [], []
    for (height, width), step in zip(sizes, strides, strict=True):
        y, x = torch.meshgrid(
            torch.arange(height, **kind) + 0.5, torch.arange(width, **kind) + 0.5, indexing='ij'
        )  # (H, W) each
        points.append(torch.stack([x.flatten(), y.flatten()], dim=1))
        stride.append(torch.full((height * width, 1), float(step), **kind))
    return torch.cat(points), torch.cat(stride)


def alignment(scores: Tensor, overlaps: Tensor, alpha: float = 0.5, beta: float = 6.0) -> Tensor:
    """Return how well predictions fit a box, `s^α · u^β`.

    Args:
        scores: (...) of the box's class, 0 to 1.
        overlaps: (...) with the box, clamped at 0 from below.
        alpha, beta: exponents.
    """
    return scores.pow(alpha) * overlaps.clamp(min=0).pow(beta)


def _aspect_penalty(a: Tensor, b: Tensor, iou: Tensor) -> Tensor:
    """Return the term of CIoU that compares aspect ratios."""
    angle_a = torch.atan2(a[..., 2] - a[..., 0], a[..., 3] - a[..., 1])
    angle_b = torch.atan2(b[..., 2] - b[..., 0], b[..., 3] - b[..., 1])
    v = (4 / math.pi**2) * (angle_a - angle_b).square()
    with torch.no_grad():
        alpha = v / _positive(1 - iou + v)
    return alpha * v


def _check_boxes(a: Tensor, b: Tensor) -> None:
    """Raise unless two tensors are boxes that broadcast."""
    shapes = tuple(a.shape), tuple(b.shape)
    ok = all(shape and shape[-1] == 4 for shape in shapes)
    if ok:
        try:
            torch.broadcast_shapes(*shapes)
        except RuntimeError:
            ok = False
    if not ok:
        raise ShapeError(f'box_iou: expected boxes (..., 4) that broadcast, got {shapes[0]} and {shapes[1]}')


def _positive(value: Tensor) -> Tensor:
    """Return a divisor that is not 0, nor so small that gradients overflow; areas of real boxes are left alone."""
    return value.clamp(min=1e-9)


def _wide(value: Tensor) -> Tensor:
    """Return a tensor in float32, or float64 where it is."""
    return value if value.dtype == torch.float64 else value.float()
