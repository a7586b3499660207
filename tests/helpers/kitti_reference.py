"""The rules of the KITTI object evaluation in plain Python, row by row: slow, and easy to compare with the rules.

Run as a script it evaluates two folders and writes JSON:  python kitti_reference.py LABELS RESULTS OUT
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

CLASSES = ('Car', 'Pedestrian', 'Cyclist')
NEIGHBOURS = {'car': 'van', 'pedestrian': 'person_sitting', 'cyclist': None}
OFFICIAL = {'Car': 0.7, 'Pedestrian': 0.5, 'Cyclist': 0.5}
LIMITS = ((40, 0, 0.15), (25, 1, 0.30), (25, 2, 0.50))  # height, occlusion, truncation


@dataclass
class Box:
    name: str
    truncation: float
    occlusion: float
    alpha: float
    image: tuple[float, float, float, float]
    h: float
    w: float
    l: float  # noqa: E741
    x: float
    y: float
    z: float
    ry: float
    score: float = 0.0


def parse(text: str, columns: int) -> list[Box]:
    boxes = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= columns:
            v = [float(word) for word in words[1:columns]]
            boxes.append(Box(words[0].lower(), v[0], v[1], v[2], (v[3], v[4], v[5], v[6]), *v[7:]))
    return boxes


# --- overlaps ---------------------------------------------------------------------------------------------------------


def image_shared(a: Box, b: Box) -> float:
    width = min(a.image[2], b.image[2]) - max(a.image[0], b.image[0])
    height = min(a.image[3], b.image[3]) - max(a.image[1], b.image[1])
    return width * height if width > 0 and height > 0 else 0.0


def image_area(a: Box) -> float:
    return (a.image[2] - a.image[0]) * (a.image[3] - a.image[1])


def corners(a: Box) -> list[complex]:
    """Corners on the ground, in order, as x + i z."""
    turn = complex(math.cos(a.ry), -math.sin(a.ry))
    return [
        complex(a.x, a.z) + complex(a.l / 2 * i, a.w / 2 * k) * turn for i, k in ((1, 1), (1, -1), (-1, -1), (-1, 1))
    ]


def cross(a: complex, b: complex) -> float:
    return a.real * b.imag - a.imag * b.real


def ground_shared(a: Box, b: Box) -> float:
    """Area of the intersection of two rectangles: clip one at the four sides of the other."""
    if a.l * a.w == 0 or b.l * b.w == 0:
        return 0.0
    if math.hypot(a.x - b.x, a.z - b.z) > math.hypot(a.l, a.w) / 2 + math.hypot(b.l, b.w) / 2:
        return 0.0
    polygon, sides = corners(a), corners(b)
    centre = complex(b.x, b.z)
    for index, start in enumerate(sides):
        along = sides[(index + 1) % 4] - start
        inside = math.copysign(1.0, cross(along, centre - start))
        kept = []
        for number, here in enumerate(polygon):
            there = polygon[(number + 1) % len(polygon)]
            depth_here, depth_there = inside * cross(along, here - start), inside * cross(along, there - start)
            if depth_here >= 0:
                kept.append(here)
            if depth_here * depth_there < 0:
                kept.append(here + (there - here) * (depth_here / (depth_here - depth_there)))
        polygon = kept
    polygon = [corner - centre for corner in polygon]
    return abs(sum(cross(p, polygon[(i + 1) % len(polygon)]) for i, p in enumerate(polygon))) / 2


def common_height(a: Box, b: Box) -> float:
    return max(0.0, min(a.y, b.y) - max(a.y - a.h, b.y - b.h))


def overlap(metric: str, a: Box, b: Box, of_first: bool = False) -> float:
    """Intersection over union, or over the first box alone."""
    if metric == 'bbox':
        shared, first, second = image_shared(a, b), image_area(a), image_area(b)
    else:
        shared, first, second = ground_shared(a, b), a.l * a.w, b.l * b.w
        if metric == '3d':
            shared, first, second = shared * common_height(a, b), first * a.h, second * b.h
    whole = first if of_first else first + second - shared
    return shared / whole if shared > 0 else 0.0


# --- matching ---------------------------------------------------------------------------------------------------------


def label_state(label: Box, name: str, difficulty: int) -> str:
    height, occlusion, truncation = LIMITS[difficulty]
    if label.name == NEIGHBOURS[name.lower()]:
        return 'ignored'
    if label.name != name.lower():
        return 'out'
    hard = label.occlusion > occlusion or label.truncation > truncation
    return 'ignored' if hard or label.image[3] - label.image[1] <= height else 'counts'


def detection_state(detection: Box, name: str, difficulty: int) -> str:
    if int(abs(detection.image[1] - detection.image[3])) < LIMITS[difficulty][0]:
        return 'ignored'
    return 'counts' if detection.name == name.lower() else 'out'


def thresholds(scores: list[float], counting: int) -> list[float]:
    scores = sorted(scores, reverse=True)
    kept, recall = [], 0.0
    for i, score in enumerate(scores):
        left = (i + 1) / counting
        right = (i + 2) / counting if i < len(scores) - 1 else left
        if right - recall < recall - left and i < len(scores) - 1:
            continue
        kept.append(score)
        recall += 1 / 40
    return kept


class Frame:
    """Labels and detections of a frame with the overlaps of a metric above a limit, as a dense table."""

    def __init__(self, labels: list[Box], detections: list[Box], metric: str, name: str, limit: float):
        self.labels, self.detections = labels, detections
        self.overlaps = [[overlap(metric, d, a) for d in detections] for a in labels]
        areas = [label for label in labels if label.name == 'dontcare']
        self.forgiven = [any(overlap(metric, d, area, of_first=True) > limit for area in areas) for d in detections]
        self.limit, self.name = limit, name

    def set_difficulty(self, difficulty: int) -> None:
        self.label_states = [label_state(label, self.name, difficulty) for label in self.labels]
        self.states = [detection_state(detection, self.name, difficulty) for detection in self.detections]

    def noted(self) -> list[float]:
        taken, noted = set(), []
        for i, state in enumerate(self.label_states):
            best, highest = None, -1e7
            for j, detection in enumerate(self.detections):
                fits = self.overlaps[i][j] > self.limit and self.states[j] != 'out' and j not in taken
                if state != 'out' and fits and detection.score > highest:
                    best, highest = j, detection.score
            if best is not None:
                taken.add(best)
                if state == 'counts' and self.states[best] == 'counts':
                    noted.append(highest)
        return noted

    def judge(self, threshold: float) -> tuple[int, int, float]:
        """Right, wrong, and the summed likeness of the right ones' alpha."""
        taken, right, alike = set(), 0, 0.0
        for i, state in enumerate(self.label_states):
            if state == 'out':
                continue
            fitting = [
                j
                for j, detection in enumerate(self.detections)
                if self.overlaps[i][j] > self.limit
                and self.states[j] != 'out'
                and j not in taken
                and detection.score >= threshold
            ]
            valid = [j for j in fitting if self.states[j] == 'counts']
            if valid:
                best = max(valid, key=lambda j: (self.overlaps[i][j], -j))
            elif fitting:
                best = fitting[0]
            else:
                continue
            taken.add(best)
            if state == 'counts' and valid:
                right += 1
                alike += (1 + math.cos(self.labels[i].alpha - self.detections[best].alpha)) / 2
        wrong = sum(
            1
            for j, detection in enumerate(self.detections)
            if self.states[j] == 'counts' and j not in taken and detection.score >= threshold and not self.forgiven[j]
        )
        return right, wrong, alike


def curve(frames: list[Frame], name: str, difficulty: int) -> tuple[list[float], list[float]]:
    for frame in frames:
        frame.set_difficulty(difficulty)
    counting = sum(frame.label_states.count('counts') for frame in frames)
    precision, likeness = [0.0] * 41, [0.0] * 41
    for k, threshold in enumerate(thresholds([score for frame in frames for score in frame.noted()], counting)):
        parts = [frame.judge(threshold) for frame in frames]
        right, wrong, alike = (sum(part[i] for part in parts) for i in range(3))
        if right + wrong:
            precision[k], likeness[k] = right / (right + wrong), alike / (right + wrong)
    return precision, likeness


def averages(values: list[float]) -> tuple[float, float]:
    falling = [max(values[k:]) for k in range(41)]
    return 100 * sum(falling[::4]) / 11, 100 * sum(falling[1:]) / 40


def usable(detection: Box, metric: str) -> bool:
    if metric == 'bbox':
        return detection.image[0] >= 0
    flat = detection.x != -1000 and detection.z != -1000 and detection.w > 0 and detection.l > 0
    return flat and (metric == 'bev' or (detection.y != -1000 and detection.h > 0))


def evaluate(frames: list[tuple[list[Box], list[Box]]], limits: dict[str, float] = OFFICIAL) -> dict:
    """Evaluate pairs of labels and detections; the shape of the report is that of `pointkd.evaluation.kitti`."""
    everything = [detection for _, detections in frames for detection in detections]
    oriented = all(detection.alpha != -10 for detection in everything)
    report = {}
    for name in CLASSES:
        report[name] = {m: {'AP11': [None] * 3, 'AP40': [None] * 3} for m in ('bbox', 'bev', '3d', 'aos')}
        for metric in ('bbox', 'bev', '3d'):
            if not any(usable(detection, metric) for detection in everything if detection.name == name.lower()):
                continue
            tables = [Frame(labels, detections, metric, name, limits[name]) for labels, detections in frames]
            for difficulty in range(3):
                precision, likeness = curve(tables, name, difficulty)
                for key, values in ((metric, precision), ('aos', likeness)):
                    if key == metric or (metric == 'bbox' and oriented):
                        report[name][key]['AP11'][difficulty], report[name][key]['AP40'][difficulty] = averages(values)
    return report


def evaluate_folders(labels: str | Path, results: str | Path) -> dict:
    frames = []
    for path in sorted(Path(labels).glob('*.txt')):
        detected = Path(results) / path.name
        frames.append((parse(path.read_text(), 15), parse(detected.read_text(), 16) if detected.exists() else []))
    return evaluate(frames)


if __name__ == '__main__':
    Path(sys.argv[3]).write_text(json.dumps(evaluate_folders(sys.argv[1], sys.argv[2])))
