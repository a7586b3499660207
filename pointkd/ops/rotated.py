"""Overlap of rotated rectangles, exact to rounding.

A rectangle is x, y of its centre, width, height, angle in radians; `height` grows along y where the angle is 0, and the
angle turns x towards y. All arithmetic is float64.

The area common to rectangles A and B is the area inside A's outline after every point of it has been moved to the
nearest point of B: what lies outside B collapses onto the border and encloses nothing. In B's frame that move is a
clamp of both coordinates, so the area is the sum over A's four edges of the integral of clamp(x) over clamp(y). There
is no case for parallel, touching or equal edges and no tolerance: a small change of a box is a small change of the
result.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops.rotated_loops import SMALLEST_AREA, fill_aligned, fill_matrix

PAIRS_AT_ONCE = 1 << 18


def box_iou_rotated(boxes1: Tensor, boxes2: Tensor, mode: str = 'iou', aligned: bool = False) -> Tensor:
    """Return the overlap ratio of rotated boxes.

    Args:
        boxes1: (N, 5) float; x, y, width, height, radians.
        boxes2: (M, 5) float; N = M where aligned.
        mode: `'iou'` for intersection over union, `'iof'` for intersection over the area of the first box.
        aligned: compare row with row.

    Returns:
        (N, M), or (N,) where aligned, of the type of boxes1; 0 where one of the boxes has no area.

    Raises:
        ShapeError: boxes are not (N, 5), or differ in number where aligned.
        ConfigError: another mode.

    Cost: O(N M) time and memory; only pairs whose circumscribed circles meet are clipped.

    Example:
        >>> box = torch.tensor([[0.0, 0.0, 4.0, 2.0, 0.0]])
        >>> turned = torch.tensor([[0.0, 0.0, 4.0, 2.0, torch.pi / 2]])
        >>> box_iou_rotated(box, turned)
        tensor([[0.3333]])
    """
    if mode not in ('iou', 'iof'):
        raise ConfigError(f"mode: expected 'iou' or 'iof', got {mode!r}")
    common = overlap_rotated(boxes1, boxes2, aligned)
    area1, area2 = (boxes[:, 2].double() * boxes[:, 3].double() for boxes in (boxes1.detach(), boxes2.detach()))
    if not aligned:
        area1 = area1[:, None]
    whole = area1 + area2 - common if mode == 'iou' else area1.expand_as(common)
    empty = (area1 < SMALLEST_AREA) | (area2 < SMALLEST_AREA)
    return (common / whole).masked_fill(empty, 0.0).to(boxes1.dtype)


def overlap_rotated(boxes1: Tensor, boxes2: Tensor, aligned: bool = False) -> Tensor:
    """Return the area that rotated boxes have in common.

    Args:
        boxes1: (N, 5) float; x, y, width, height, radians.
        boxes2: (M, 5) float; N = M where aligned.
        aligned: compare row with row.

    Returns:
        (N, M), or (N,) where aligned, float64.

    Raises:
        ShapeError: boxes are not (N, 5), or differ in number where aligned.
    """
    count1, count2 = check_shape(boxes1, 'N 5', 'boxes1')['N'], check_shape(boxes2, 'M 5', 'boxes2')['M']
    if aligned and count1 != count2:
        raise ShapeError(f'aligned boxes: expected as many in both, got {count1} and {count2}')
    boxes1, boxes2 = boxes1.detach().double(), boxes2.detach().double()
    if boxes1.device.type != 'cpu':
        return _overlap_torch(boxes1, boxes2, aligned)
    out = np.zeros(count1 if aligned else (count1, count2))
    fill = fill_aligned if aligned else fill_matrix
    fill(boxes1.contiguous().numpy(), boxes2.contiguous().numpy(), out)
    return torch.from_numpy(out)


def _overlap_torch(boxes1: Tensor, boxes2: Tensor, aligned: bool) -> Tensor:
    """Return the areas (N, M) or (N,) with torch; the reference of the loops."""
    if aligned:
        return overlap_of_pairs(boxes1, boxes2)
    offset = boxes1[:, None, :2] - boxes2[:, :2]  # (N, M, 2)
    reach = radius(boxes1)[:, None] + radius(boxes2)
    first, second = ((offset**2).sum(-1) <= reach**2).nonzero(as_tuple=True)
    out = offset.new_zeros(offset.shape[:2])
    for rows, columns in zip(first.split(PAIRS_AT_ONCE), second.split(PAIRS_AT_ONCE), strict=True):
        out[rows, columns] = overlap_of_pairs(boxes1[rows], boxes2[columns])
    return out


def radius(boxes: Tensor) -> Tensor:
    """Return the radius (N,) of the circle around each rotated box (N, 5)."""
    return boxes[:, 2:4].norm(dim=1) / 2


def overlap_of_pairs(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the area (P,) that row i of boxes1 (P, 5) has in common with row i of boxes2 (P, 5)."""
    corners = _corners_in_frame_of(boxes1, boxes2)  # (P, 4, 2)
    half = boxes2[:, None, 2:4].abs() / 2  # (P, 1, 2)
    area = _edge_integral(corners, corners.roll(-1, dims=1), half).sum(1)
    return torch.minimum(area.clamp(min=0), (boxes1[:, 2] * boxes1[:, 3]).abs())


def _corners_in_frame_of(boxes: Tensor, frames: Tensor) -> Tensor:
    """Return the corners (P, 4, 2) of boxes in the frames' own axes, counter-clockwise (x towards y)."""
    cos, sin = frames[:, 4].cos(), frames[:, 4].sin()
    offset = boxes[:, :2] - frames[:, :2]
    x = offset[:, 0] * cos + offset[:, 1] * sin
    y = offset[:, 1] * cos - offset[:, 0] * sin
    turn = boxes[:, 4] - frames[:, 4]
    half = boxes[:, 2:4].abs() / 2
    length = half[:, :1] * torch.stack([turn.cos(), turn.sin()], dim=1)  # (P, 2) half the width, as a vector
    width = half[:, 1:] * torch.stack([-turn.sin(), turn.cos()], dim=1)
    centre = torch.stack([x, y], dim=1)
    corners = [centre + length + width, centre - length + width, centre - length - width, centre + length - width]
    return torch.stack(corners, dim=1)


def _edge_integral(start: Tensor, end: Tensor, half: Tensor) -> Tensor:
    """Return the integral of clamp(x) over clamp(y) along edges.

    Args:
        start: (P, 4, 2) x, y.
        end: (P, 4, 2) x, y.
        half: (P, 1, 2) the clamps, |x| and |y| at most this.

    Returns:
        (P, 4).
    """
    (x0, y0), (x1, y1) = start.unbind(-1), end.unbind(-1)
    limit_x, limit_y = half.unbind(-1)
    low, high = _clamp(y0, limit_y), _clamp(y1, limit_y)
    slope = torch.where(low == high, 0.0, (x1 - x0) / (y1 - y0))  # dx/dy; nothing to integrate where low = high
    mean = _mean_of_clamped(x0 + (low - y0) * slope, x0 + (high - y0) * slope, limit_x)
    return mean * (high - low)


def _mean_of_clamped(start: Tensor, end: Tensor, limit: Tensor) -> Tensor:
    """Return the mean of clamp(x) while x runs evenly from start to end."""
    low, high = torch.minimum(start, end), torch.maximum(start, end)
    span = torch.where(high > low, high - low, 1.0)
    below = (torch.minimum(high, -limit) - low).clamp(min=0) / span  # share of the way below -limit
    above = (high - torch.maximum(low, limit)).clamp(min=0) / span
    return limit * (above - below) + (_clamp(low, limit) + _clamp(high, limit)) / 2 * (1 - above - below)


def _clamp(value: Tensor, limit: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(value, -limit), limit)
