"""The boundary metrics as a slow loop over pixels, written from their definitions alone."""

from __future__ import annotations

import math

import numpy as np

VOID = 255
Pixel = tuple[int, int]


def border_pixels(labels: np.ndarray) -> dict[Pixel, int]:
    """Pixels that have a 4-neighbour with another label, and their label; VOID makes no border."""
    height, width = labels.shape
    found = {}
    for y in range(height):
        for x in range(width):
            for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= row < height and 0 <= column < width:
                    here, there = int(labels[y, x]), int(labels[row, column])
                    if VOID not in (here, there) and here != there:
                        found[y, x] = here
    return found


def near(pixel: Pixel, others: list[Pixel], radius: float) -> bool:
    return any(math.sqrt((pixel[0] - row) ** 2 + (pixel[1] - column) ** 2) <= radius for row, column in others)


def trimap(labels: np.ndarray, radius: float) -> np.ndarray:
    """Labelled pixels within a radius of a border pixel."""
    borders = list(border_pixels(labels))
    inside = np.zeros(labels.shape, bool)
    for y, x in np.ndindex(labels.shape):
        inside[y, x] = labels[y, x] != VOID and near((y, x), borders, radius)
    return inside


def inner_band(labels: np.ndarray, label: int, width: float) -> np.ndarray:
    """Pixels of a label within a distance of a border pixel of that label."""
    borders = [pixel for pixel, own in border_pixels(labels).items() if own == label]
    inside = np.zeros(labels.shape, bool)
    for y, x in np.ndindex(labels.shape):
        inside[y, x] = labels[y, x] == label and near((y, x), borders, width)
    return inside


def masked(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Predictions without those on pixels that have no label."""
    return np.where(labels == VOID, VOID, predictions)


def trimap_iou(pairs: list[tuple[np.ndarray, np.ndarray]], label: int, radius: float) -> float:
    right = union = 0
    for labels, predictions in pairs:
        inside = trimap(labels, radius)
        for y, x in np.ndindex(labels.shape):
            if inside[y, x]:
                right += labels[y, x] == label == predictions[y, x]
                union += label in (labels[y, x], predictions[y, x])
    return right / union if union else math.nan


def f_of_image(labels: np.ndarray, predictions: np.ndarray, label: int, tolerance: float) -> float:
    first = [pixel for pixel, own in border_pixels(labels).items() if own == label]
    second = [pixel for pixel, own in border_pixels(masked(labels, predictions)).items() if own == label]
    if not first and not second:
        return math.nan
    if not first or not second:
        return 0.0
    recall = sum(near(pixel, second, tolerance) for pixel in first) / len(first)
    precision = sum(near(pixel, first, tolerance) for pixel in second) / len(second)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def f_measure(pairs: list[tuple[np.ndarray, np.ndarray]], label: int, tolerance: float) -> float:
    found = [f_of_image(*pair, label, tolerance) for pair in pairs if (pair[0] == label).any()]
    defined = [value for value in found if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def boundary_iou(pairs: list[tuple[np.ndarray, np.ndarray]], label: int, share: float) -> float:
    both = either = 0
    for labels, predictions in pairs:
        width = share * math.hypot(*labels.shape)
        first = inner_band(labels, label, width)
        second = inner_band(masked(labels, predictions), label, width)
        both += int((first & second).sum())
        either += int((first | second).sum())
    return both / either if either else math.nan
