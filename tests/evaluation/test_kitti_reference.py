"""The compiled evaluation against the same rules in plain Python, on random scenes full of ties and borders."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.kitti_reference import Box, evaluate
from helpers.kitti_sets import unpack, worst_difference
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.kitti import KittiObjects
from pointkd.evaluation.kitti import CLASSES, evaluate_folders, evaluate_frames

NAMES = ('Car', 'Pedestrian', 'Cyclist', 'Van', 'Person_sitting', 'DontCare', 'Truck', 'cAR')


def random_frames(seed: int) -> list[tuple[list[Box], list[Box]]]:
    """A few frames of labels, and detections that are labels moved a little, copied, confused and added to."""
    rng = np.random.default_rng(seed)
    coarse = rng.random() < 0.5  # scores in steps of a fifth
    frames = []
    for _ in range(rng.integers(1, 6)):
        labels = [random_box(rng, rng.choice(NAMES, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])) for _ in range(rng.integers(0, 7))]  # fmt: skip  # noqa: E501
        detections = []
        for label in labels:
            for _ in range(rng.integers(0, 4)):
                detections.append(moved(rng, label))
        detections += [random_box(rng, rng.choice(NAMES)) for _ in range(rng.integers(0, 3))]
        rng.shuffle(detections)
        for detection in detections:
            detection.score = float(rng.integers(0, 6) / 5 if coarse else rng.normal())
        frames.append((labels, detections))
    return frames


def random_box(rng: np.random.Generator, name: str) -> Box:
    height = float(rng.choice([20, 24.99, 25, 25.01, 39, 40, 41, 80]))
    x1, y1 = (float(v) for v in rng.integers(0, 4, 2) * 40)
    h, w, l = (float(v) for v in rng.choice([1.0, 1.5, 2.0, 4.0], 3))  # noqa: E741
    if name == 'DontCare':
        return Box('dontcare', -1, -1, -10, (x1, y1, x1 + 90, y1 + 90), -1, -1, -1, -1000, -1000, -1000, -10)
    truncation, occlusion = float(rng.choice([0, 0.15, 0.16, 0.3, 0.5, 0.6])), float(rng.integers(0, 4))
    x, z = (float(v) for v in rng.integers(0, 3, 2) * 3)
    ry, alpha = (float(v) for v in rng.uniform(-4, 4, 2))
    return Box(str(name).lower(), truncation, occlusion, alpha, (x1, y1, x1 + 60, y1 + height), h, w, l, x, 1.7, z, ry)


def moved(rng: np.random.Generator, box: Box) -> Box:
    """A copy, near or exact, sometimes of another class or without a place in space."""
    shift = rng.normal(0, 0.1, 5) if rng.random() < 0.7 else np.zeros(5)
    name = str(rng.choice(NAMES)).lower() if rng.random() < 0.15 else box.name
    x1, y1, x2, y2 = box.image
    image = (x1 + 20 * shift[0], y1 + 20 * shift[1], x2 + 20 * shift[0], y2)
    place = (-1, -1, -1, -1000, -1000, -1000, -10) if rng.random() < 0.05 else (
        box.h, box.w, box.l, box.x + shift[2], box.y + shift[3], box.z, box.ry + shift[4]
    )  # fmt: skip
    alpha = box.alpha + shift[4] if box.alpha != -10 else 0.5
    return Box(name, -1, -1, alpha, image, *place)


def as_objects(boxes: list[Box]) -> KittiObjects:
    return KittiObjects(
        names=[box.name for box in boxes],
        truncation=np.array([box.truncation for box in boxes]),
        occlusion=np.array([box.occlusion for box in boxes]),
        alpha=np.array([box.alpha for box in boxes]),
        boxes_2d=np.array([box.image for box in boxes]).reshape(-1, 4),
        dimensions=np.array([(box.h, box.w, box.l) for box in boxes]).reshape(-1, 3),
        location=np.array([(box.x, box.y, box.z) for box in boxes]).reshape(-1, 3),
        rotation_y=np.array([box.ry for box in boxes]),
        scores=np.array([box.score for box in boxes]),
    )


def differences(seed: int, limits: dict[str, float] | None = None) -> float:
    frames = random_frames(seed)
    labels, detections = ([as_objects(boxes) for boxes in side] for side in zip(*frames, strict=True))
    report = evaluate_frames(labels, detections, limits)
    expected = evaluate(frames, limits) if limits else evaluate(frames)
    for name in CLASSES:
        for metric in ('bbox', 'bev', '3d', 'aos'):
            assert (report[name][metric]['AP40'][0] is None) == (expected[name][metric]['AP40'][0] is None)
    return worst_difference(report, expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_scenes(seed: int) -> None:
    assert differences(seed) < 1e-9


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_other_overlaps(seed: int) -> None:
    assert differences(seed, {'Car': 0.5, 'Pedestrian': 0.25, 'Cyclist': 0.3}) < 1e-9


def test_order_of_frames_changes_nothing() -> None:
    frames = [frame for seed in range(8) for frame in random_frames(seed)]
    labels, detections = ([as_objects(boxes) for boxes in side] for side in zip(*frames, strict=True))
    forward, backward = evaluate_frames(labels, detections), evaluate_frames(labels[::-1], detections[::-1])
    assert worst_difference(forward, {name: backward[name] for name in CLASSES}) < 1e-9


@pytest.mark.parametrize('name', ['s1_realistic', 's3_ties_and_order'])
def test_reference_gives_the_official_numbers(name: str, golden, tmp_path) -> None:
    """So that equality with the reference means something."""
    import json

    from helpers.kitti_reference import evaluate_folders as reference

    source = golden / 'kitti_eval_synthetic' / name
    data = unpack(source / 'data.tar.gz', tmp_path)
    expected = json.loads((source / 'expected.json').read_text())
    slow = reference(data / 'labels', data / 'results')
    assert worst_difference(slow, expected) < 1e-9
    assert worst_difference(evaluate_folders(data / 'labels', data / 'results'), slow) < 1e-9
