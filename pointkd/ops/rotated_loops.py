"""The loops behind `rotated` and `nms_rotated`: the same formulas, one pair of boxes at a time, in float64."""

from __future__ import annotations

import math

import numpy as np

from pointkd.ops.jit import jit

SMALLEST_AREA = 1e-14  # a box below it overlaps nothing, as in mmcv's kernels


@jit
def fill_matrix(boxes1: np.ndarray, boxes2: np.ndarray, out: np.ndarray) -> None:
    """Fill out (N, M) with the common areas of boxes1 (N, 5) and boxes2 (M, 5)."""
    frames1, frames2 = _frames(boxes1), _frames(boxes2)
    radius1, radius2 = _radii(boxes1), _radii(boxes2)
    for i in range(len(boxes1)):
        for j in range(len(boxes2)):
            dx, dy = boxes1[i, 0] - boxes2[j, 0], boxes1[i, 1] - boxes2[j, 1]
            if dx * dx + dy * dy <= (radius1[i] + radius2[j]) ** 2:
                out[i, j] = _overlap(frames1[i], frames2[j])


@jit
def fill_aligned(boxes1: np.ndarray, boxes2: np.ndarray, out: np.ndarray) -> None:
    """Fill out (N,) with the common area of each row of boxes1 (N, 5) and boxes2 (N, 5)."""
    frames1, frames2 = _frames(boxes1), _frames(boxes2)
    for i in range(len(boxes1)):
        out[i] = _overlap(frames1[i], frames2[i])


@jit
def _radii(boxes: np.ndarray) -> np.ndarray:
    """Return the radius (N,) of the circle around each of the boxes (N, 5)."""
    return np.sqrt(boxes[:, 2] ** 2 + boxes[:, 3] ** 2) / 2


@jit
def _frames(boxes: np.ndarray) -> np.ndarray:
    """Return boxes (N, 5) as rows (N, 6): x, y, half width, half height, cosine and sine of the angle."""
    frames = np.empty((len(boxes), 6))
    for i in range(len(boxes)):
        x, y, width, height, angle = boxes[i]
        frames[i, 0], frames[i, 1] = x, y
        frames[i, 2], frames[i, 3] = abs(width) / 2, abs(height) / 2
        frames[i, 4], frames[i, 5] = math.cos(angle), math.sin(angle)
    return frames


@jit
def _overlap(box: np.ndarray, frame: np.ndarray) -> float:
    """Return the area that two boxes, rows (6,) of `_frames`, have in common."""
    dx, dy = box[0] - frame[0], box[1] - frame[1]
    x, y = dx * frame[4] + dy * frame[5], dy * frame[4] - dx * frame[5]
    cos, sin = box[4] * frame[4] + box[5] * frame[5], box[5] * frame[4] - box[4] * frame[5]
    lx, ly, wx, wy = box[2] * cos, box[2] * sin, -box[3] * sin, box[3] * cos  # half the width and height as vectors
    limit_x, limit_y = frame[2], frame[3]
    area = _edge(x + lx + wx, y + ly + wy, x - lx + wx, y - ly + wy, limit_x, limit_y)
    area += _edge(x - lx + wx, y - ly + wy, x - lx - wx, y - ly - wy, limit_x, limit_y)
    area += _edge(x - lx - wx, y - ly - wy, x + lx - wx, y + ly - wy, limit_x, limit_y)
    area += _edge(x + lx - wx, y + ly - wy, x + lx + wx, y + ly + wy, limit_x, limit_y)
    return min(max(area, 0.0), 4 * box[2] * box[3])


@jit
def _edge(x0: float, y0: float, x1: float, y1: float, limit_x: float, limit_y: float) -> float:
    """Return the integral of clamp(x) over clamp(y) along one edge."""
    bottom, top = min(max(y0, -limit_y), limit_y), min(max(y1, -limit_y), limit_y)
    if bottom == top:
        return 0.0
    slope = (x1 - x0) / (y1 - y0)
    start, end = x0 + (bottom - y0) * slope, x0 + (top - y0) * slope
    low, high = min(start, end), max(start, end)
    span = high - low if high > low else 1.0
    below = max(min(high, -limit_x) - low, 0.0) / span
    above = max(high - max(low, limit_x), 0.0) / span
    middle = (min(max(low, -limit_x), limit_x) + min(max(high, -limit_x), limit_x)) / 2
    return (limit_x * (above - below) + middle * (1.0 - above - below)) * (top - bottom)


@jit
def keep_loop(boxes: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """Return the survivors (N,) of boxes (N, 5), best first; the threshold is a float32 number.

    Each kept box looks only at the boxes whose x is near enough for their circles to meet.
    """
    frames, radius, area = _frames(boxes), _radii(boxes), boxes[:, 2] * boxes[:, 3]
    by_x = np.argsort(boxes[:, 0])
    x = boxes[by_x, 0]
    widest = 0.0
    for i in range(len(boxes)):
        widest = max(widest, radius[i])  # a NaN does not count
    alive = np.ones(len(boxes), np.bool_)
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        reach = radius[i] + widest if threshold >= 0 else np.inf
        first = np.searchsorted(x, boxes[i, 0] - reach, side='left')
        last = np.searchsorted(x, boxes[i, 0] + reach, side='right')
        for j in by_x[first:last]:
            if j > i and alive[j] and labels[i] == labels[j]:
                dx, dy = boxes[i, 0] - boxes[j, 0], boxes[i, 1] - boxes[j, 1]
                iou = 0.0
                if dx * dx + dy * dy <= (radius[i] + radius[j]) ** 2:
                    iou = _iou(frames[i], frames[j], area[i], area[j], threshold)
                alive[j] = not np.float32(iou) > threshold
    return alive


@jit
def _iou(first: np.ndarray, second: np.ndarray, area1: float, area2: float, threshold: float) -> float:
    """Return the IoU of two rows of `_frames` with their areas, or 0 where it can't exceed the threshold."""
    smaller, larger = min(area1, area2), max(area1, area2)
    if smaller < SMALLEST_AREA or smaller <= threshold * larger:  # IoU is at most smaller / larger
        return 0.0
    common = _overlap(first, second)
    return common / (area1 + area2 - common)
