"""Overlap of rotated boxes and the suppression that uses it, vectorised in numpy (float64)."""

from __future__ import annotations

import numpy as np

from pointkd.core.check import check_shape

BLOCK = 128  # boxes that are compared with all later ones at a time
ROUNDING = 1e-12  # an overlap smaller than this share is none


def rotated_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every pair of rotated rectangles.

    Args:
        first: (N, 5) x, y of the centre, length, width, yaw (radians, counter-clockwise).
        second: (M, 5).

    Returns:
        (N, M) float64; 0 where a rectangle has no area.

    Raises:
        ShapeError: the boxes are not five numbers wide.
    """
    check_shape(first, 'N 5', 'first')
    check_shape(second, 'M 5', 'second')
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    reach = _radius(first)[:, None] + _radius(second)[None]
    offset = first[:, None, :2] - second[None, :, :2]
    row, column = np.nonzero((offset**2).sum(axis=-1) < reach**2)  # circles around the others do not even touch
    overlap = _intersection(first[row], second[column])
    union = _area(first)[row] + _area(second)[column] - overlap
    iou = np.zeros((len(first), len(second)))
    real = overlap > ROUNDING * union
    iou[row[real], column[real]] = overlap[real] / union[real]
    return iou


def rotated_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Keep boxes by falling score, each only when it overlaps no kept one by more than the threshold.

    Args:
        boxes: (N, 5) x, y of the centre, length, width, yaw.
        scores: (N,); equal ones keep their order.
        threshold: an overlap strictly above it suppresses.

    Returns:
        (K,) int64 indices of the kept boxes, best first.
    Cost: O(128 N) memory.
    """
    order = np.argsort(-scores, kind='stable')
    boxes = boxes[order]
    alive = np.ones(len(boxes), dtype=bool)
    for start in range(0, len(boxes), BLOCK):
        block = start + np.flatnonzero(alive[start : start + BLOCK])
        suppresses = rotated_iou(boxes[block], boxes[start:]) > threshold
        for number, index in enumerate(block):
            if alive[index]:
                alive[index + 1 :] &= ~suppresses[number, index + 1 - start :]
    return order[alive]


def _radius(boxes: np.ndarray) -> np.ndarray:
    """(N,) radius of the circle around each rectangle."""
    return np.hypot(boxes[:, 2], boxes[:, 3]) / 2


def _area(boxes: np.ndarray) -> np.ndarray:
    """(N,) area of each rectangle."""
    return boxes[:, 2] * boxes[:, 3]


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the areas common to aligned pairs of rectangles, (P,).

    In the second rectangle's frame (half sizes a, b) Green's theorem turns the area into an integral along the first
    one's edges: ∮ clamp(x, -a, a) dy over the parts of the edges where |y| <= b. On such a part clamp(x) is piecewise
    linear with corners at x = -a and x = a, so trapezoids between those corners are exact. No case distinctions, and
    the result is continuous, also for touching, equal and degenerate rectangles.
    """
    corners = _corners_in_frame(first, second)  # (P, 4, 2)
    step = np.roll(corners, -1, axis=1) - corners
    x, y = corners[..., 0], corners[..., 1]
    dx, dy = step[..., 0], step[..., 1]
    half = second[:, 2:4, None] / 2  # (P, 2, 1)
    enter, leave = _crossings(y, dy, half[:, 1])
    left, right = _crossings(x, dx, half[:, 0])
    times = np.stack([enter, np.clip(left, enter, leave), np.clip(right, enter, leave), leave])  # (4, P, 4)
    height = np.clip(x + dx * times, -half[:, 0], half[:, 0])
    integral = ((height[1:] + height[:-1]) / 2 * np.diff(times, axis=0)).sum(axis=0)
    return np.maximum((integral * dy).sum(axis=1), 0.0)


def _corners_in_frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(P, 4, 2) corners of the first rectangles, counter-clockwise, in the frames of the second."""
    offset = first[:, :2] - second[:, :2]
    cos, sin = np.cos(second[:, 4]), np.sin(second[:, 4])
    centre = np.stack([offset[:, 0] * cos + offset[:, 1] * sin, offset[:, 1] * cos - offset[:, 0] * sin], axis=1)
    turn = first[:, 4] - second[:, 4]
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * first[:, 2:3] / 2
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * first[:, 3:4] / 2
    return centre[:, None] + np.stack([along + across, across - along, -along - across, along - across], axis=1)


def _crossings(start: np.ndarray, step: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times in [0, 1] at which start + t * step enters and leaves [-half, half].

    A point that stands still has entered from 0 to 1 where it is inside, and from 0 to 0 where it is outside.
    """
    moving = np.abs(step) > 1e-300
    safe = np.where(moving, step, 1.0)
    times = np.stack([(-half - start) / safe, (half - start) / safe])
    enter = np.where(moving, times.min(axis=0), 0.0)
    leave = np.where(moving, times.max(axis=0), np.abs(start) <= half)
    return np.clip(enter, 0.0, 1.0), np.clip(leave, 0.0, 1.0)
