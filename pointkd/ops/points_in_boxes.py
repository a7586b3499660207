"""Which points lie in which 3D boxes.

A box is x, y, z of the centre of its bottom, length, width, height, yaw (radians, from x towards y). A point is inside
if |z - centre| <= height / 2 and, in the box's own axes, |x| < length / 2 and |y| < width / 2: top and bottom belong to
the box, the sides do not.

The precision of the arithmetic decides for points on a side of a turned box, so it is the caller's choice: float64 is
the truth for the numbers given; float32 is what mmcv's compiled `points_in_boxes_cpu` does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.ops.jit import jit

PAIRS_AT_ONCE = 1 << 22


def points_in_boxes_all(points: Tensor, boxes: Tensor, precision: torch.dtype = torch.float64) -> Tensor:
    """Return for every point and box whether the point is inside.

    Args:
        points: (B, M, 3) float, metres.
        boxes: (B, T, 7) float.
        precision: of the arithmetic, `torch.float64` or `torch.float32`.

    Returns:
        (B, M, T) int32, 1 inside, 0 outside.

    Raises:
        ShapeError: shapes do not fit.

    Example:
        >>> box = torch.tensor([[[0.0, 0, 0, 4, 2, 2, 0]]])
        >>> points_in_boxes_all(torch.tensor([[[0.0, 0, 2], [2, 0, 1]]]), box).tolist()
        [[[1], [0]]]
    """
    samples = _check(points, boxes)
    out = points.new_zeros(*points.shape[:2], boxes.shape[1], dtype=torch.int32)
    for sample in range(samples):
        out[sample] = _inside(points[sample], boxes[sample], precision)
    return out


def points_in_boxes_part(points: Tensor, boxes: Tensor, precision: torch.dtype = torch.float64) -> Tensor:
    """Return for every point the first box that it is inside.

    Args:
        points: (B, M, 3) float, metres.
        boxes: (B, T, 7) float.
        precision: of the arithmetic, `torch.float64` or `torch.float32`.

    Returns:
        (B, M) int32, number of the box, -1 where there is none.

    Raises:
        ShapeError: shapes do not fit.

    Example:
        >>> box = torch.tensor([[[0.0, 0, 0, 4, 2, 2, 0]]])
        >>> points_in_boxes_part(torch.tensor([[[0.0, 0, 2], [2, 0, 1]]]), box).tolist()
        [[0, -1]]
    """
    samples = _check(points, boxes)
    out = points.new_full(points.shape[:2], -1, dtype=torch.int32)
    if boxes.shape[1] == 0:
        return out
    for sample in range(samples):
        inside = _inside(points[sample], boxes[sample], precision)
        first = inside.to(torch.uint8).argmax(dim=1).to(torch.int32)
        out[sample] = torch.where(inside.any(dim=1), first, -1)
    return out


def _check(points: Tensor, boxes: Tensor) -> int:
    samples = check_shape(points, 'B M 3', 'points')['B']
    if check_shape(boxes, 'B T 7', 'boxes')['B'] != samples:
        raise ShapeError(f'points and boxes: expected one batch size, got {samples} and {len(boxes)}')
    return samples


def _inside(points: Tensor, boxes: Tensor, precision: torch.dtype) -> Tensor:
    """Return (M, T) bool for points (M, 3) and boxes (T, 7)."""
    points, boxes = points.detach().to(precision), boxes.detach().to(precision)
    if points.device.type != 'cpu':
        chunks = points.split(max(1, PAIRS_AT_ONCE // max(1, len(boxes))))
        return torch.cat([_inside_torch(chunk, boxes) for chunk in chunks])
    out = np.zeros((len(points), len(boxes)), np.bool_)
    cos, sin = (values.numpy() for values in _cos_sin(boxes))
    _inside_loop(points.contiguous().numpy(), boxes.contiguous().numpy(), cos, sin, out)
    return torch.from_numpy(out)


def _cos_sin(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine (T,) of the yaw of boxes (T, 7), correctly rounded to their type."""
    yaw = boxes[:, 6].double()
    return yaw.cos().to(boxes.dtype), yaw.sin().to(boxes.dtype)


def _inside_torch(points: Tensor, boxes: Tensor) -> Tensor:
    """Return (M, T) bool with torch; the reference of `_inside_loop`."""
    half = boxes[:, 3:6] / 2
    cos, sin = _cos_sin(boxes)
    x, y = (points[:, None, axis] - boxes[:, axis] for axis in (0, 1))  # (M, T)
    inside_z = (points[:, None, 2] - (boxes[:, 2] + half[:, 2])).abs() <= half[:, 2]
    along, across = x * cos + y * sin, y * cos - x * sin
    return inside_z & (along.abs() < half[:, 0]) & (across.abs() < half[:, 1])


@jit
def _inside_loop(points: np.ndarray, boxes: np.ndarray, cos: np.ndarray, sin: np.ndarray, out: np.ndarray) -> None:
    """Fill out (M, T); every number has the points' type, so that none is promoted."""
    half = boxes[:, 3:6] / boxes.dtype.type(2)
    centre = boxes[:, 2] + half[:, 2]
    for j in range(len(boxes)):
        for i in range(len(points)):
            if abs(points[i, 2] - centre[j]) > half[j, 2]:
                continue
            x, y = points[i, 0] - boxes[j, 0], points[i, 1] - boxes[j, 1]
            along, across = x * cos[j] + y * sin[j], y * cos[j] - x * sin[j]
            out[i, j] = abs(along) < half[j, 0] and abs(across) < half[j, 1]
