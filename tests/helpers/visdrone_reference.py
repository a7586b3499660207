"""The rules of the VisDrone-DET evaluation in plain Python, in the order they act: slow, and easy to compare with them.

Run as a script it evaluates two folders and writes JSON:  python visdrone_reference.py LABELS RESULTS SIZES OUT
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

Row = list[float]  # x, y, w, h, score, category
Image = tuple[list[Row], list[Row], tuple[int, int] | None]  # labels, detections, width and height
LIMITS = (1, 10, 100, 500)
THRESHOLDS = [0.5 + 0.05 * step for step in range(10)]


def away_from_zero(value: float) -> int:
    whole = math.floor(abs(value))
    whole += abs(value) - whole >= 0.5
    return whole if value >= 0 else -whole


def drop_ignored(rows: list[Row], regions: list[Row], size: tuple[int, int] | None) -> list[Row]:
    """Rule 2, with a mask of the image."""
    if not regions:
        return rows
    width, height = size
    mask = np.zeros((height + 1, width + 1), dtype=np.int64)  # row and column 0 stay empty
    for x, y, w, h in (row[:4] for row in regions):
        x, y, w, h = (max(1, away_from_zero(value)) for value in (x, y, w, h))
        mask[y : min(height, y + h) + 1, x : min(width, x + w) + 1] = 1
    kept = []
    for row in rows:
        x, y, w, h = (max(1, away_from_zero(value)) for value in row[:4])
        x, y = min(x, width), min(y, height)
        covered = mask[y + 1 : min(height, y + h) + 1, x + 1 : min(width, x + w) + 1].sum()
        if covered / (w * h) < 0.5:
            kept.append(row)
    return kept


def overlap(detection: Row, label: Row) -> float:
    x1, y1, w1, h1 = detection[:4]
    x2, y2, w2, h2 = label[:4]
    width = min(x1 + w1, x2 + w2) - max(x1, x2)
    height = min(y1 + h1, y2 + h2) - max(y1, y2)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (w1 * h1 if label[4] == 0 else w1 * h1 + w2 * h2 - shared)


def match(labels: list[Row], detections: list[Row], threshold: float) -> list[tuple[float, int]]:
    """Rule 7: score of each detection, and 1 right, 0 wrong, -1 neither."""
    labels = sorted(labels, key=lambda row: row[4] == 0)
    taken = [False] * len(labels)
    outcomes = []
    for detection in sorted(detections, key=lambda row: -row[4]):
        best, greatest = None, threshold
        for number, label in enumerate(labels):
            if taken[number]:
                continue
            if best is not None and label[4] == 0:
                break
            value = overlap(detection, label)
            if value < greatest:
                continue
            best, greatest = number, value
        if best is None:
            outcomes.append((detection[4], 0))
        elif labels[best][4] == 0:
            outcomes.append((detection[4], -1))
        else:
            taken[best] = True
            outcomes.append((detection[4], 1))
    return outcomes


def curve(outcomes: list[tuple[float, int]], labels: int) -> tuple[float, float]:
    """Rules 9 to 11: AP and greatest recall, percent."""
    recalls, precisions = [0.0], [0.0]
    right = wrong = 0
    for _, outcome in sorted(outcomes, key=lambda entry: -entry[0]):
        right, wrong = right + (outcome == 1), wrong + (outcome == 0)
        recalls.append(right / max(1, labels))
        precisions.append(right / max(1, right + wrong))
    recalls.append(1.0)
    precisions.append(0.0)
    for place in range(len(precisions) - 2, -1, -1):
        precisions[place] = max(precisions[place], precisions[place + 1])
    area = sum((recalls[k] - recalls[k - 1]) * precisions[k] for k in range(1, len(recalls)))
    return 100 * area, 100 * max(recalls[:-1])


def evaluate(images: list[Image]) -> dict[str, float | None]:
    """All rules: images in alphabetical order."""
    cleaned = []
    for labels, detections, size in images:
        regions = [row for row in labels if row[5] == 0]
        others = [row for row in labels if row[5] != 0]
        cleaned.append((drop_ignored(others, regions, size), drop_ignored(detections, regions, size)))
    precision: list[list[float]] = []
    recall: dict[int, list[list[float]]] = {limit: [] for limit in LIMITS}
    for category in range(1, 11):
        own = [[row for row in labels if row[5] == category] for labels, _ in cleaned]
        weight = sum(bool(rows) for rows in own)
        for limit in LIMITS:
            numbers = []
            for threshold in THRESHOLDS:
                outcomes = []
                for labels, (_, detections) in zip(own, cleaned, strict=True):
                    outcomes += match(labels, [row for row in detections[:limit] if row[5] == category], threshold)
                numbers.append(curve(outcomes, sum(map(len, own))))
            recall[limit] += [[number[1] for number in numbers]] * weight
        precision += [[number[0] for number in numbers]] * weight
    return summary(precision, recall)


def summary(precision: list[list[float]], recall: dict[int, list[list[float]]]) -> dict[str, float | None]:
    """Rule 12: means over the entries of class and image."""
    if not precision:
        return dict.fromkeys(['AP', 'AP50', 'AP75', *(f'AR{limit}' for limit in LIMITS)])
    table = np.array(precision)
    means = {'AP': table.mean(), 'AP50': table[:, 0].mean(), 'AP75': table[:, 5].mean()}
    means |= {f'AR{limit}': np.mean(entries) for limit, entries in recall.items()}
    return {name: float(value) for name, value in means.items()}


def read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    return [[float(word) for word in line.split(',')[:6]] for line in path.read_text().splitlines() if line.strip()]


def evaluate_folders(labels: Path, results: Path, sizes: Path) -> dict[str, float | None]:
    known = json.loads(Path(sizes).read_text())
    paths = sorted(Path(labels).glob('*.txt'), key=lambda path: path.name)
    return evaluate([(read(path), read(Path(results) / path.name), known.get(path.stem)) for path in paths])


if __name__ == '__main__':
    Path(sys.argv[4]).write_text(json.dumps(evaluate_folders(*(Path(word) for word in sys.argv[1:4]))))
