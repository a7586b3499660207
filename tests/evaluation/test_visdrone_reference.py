"""The compiled evaluation against the same rules in plain Python, on random images full of ties and borders."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.visdrone_reference import Image, away_from_zero, evaluate
from helpers.visdrone_sets import worst_difference
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.evaluation.visdrone import METRICS, evaluate_images
from pointkd.evaluation.visdrone.regions import covered_shares
from pointkd.evaluation.visdrone.rows import table_of
from pointkd.evaluation.visdrone.scoring import Sides

CATEGORIES = (0, 1, 2, 4, 10, 11)


def random_images(seed: int, many: bool = False) -> list[Image]:
    """A few images of labels, and detections that are labels moved a little, copied, confused and added to."""
    rng = np.random.default_rng(seed)
    coarse = rng.random() < 0.5  # scores in steps of a fifth
    images: list[Image] = []
    for _ in range(rng.integers(1, 5)):
        width, height = (int(side) for side in rng.integers(20, 70, 2))
        labels = [random_row(rng, width, height) for _ in range(rng.integers(0, 9))]
        detections = [moved(rng, row) for row in labels for _ in range(rng.integers(0, 60 if many else 4))]
        detections += [random_row(rng, width, height) for _ in range(rng.integers(0, 5))]
        rng.shuffle(detections)
        for row in detections:
            row[4] = float(rng.integers(0, 6) / 5 if coarse else rng.normal())
        images.append((labels, detections, (width, height)))
    return images


def random_row(rng: np.random.Generator, width: int, height: int) -> list[float]:
    x, y = rng.integers(-5, width + 5), rng.integers(-5, height + 5)
    w, h = rng.integers(-1, 30, 2)
    category = rng.choice(CATEGORIES, p=[0.1, 0.2, 0.15, 0.3, 0.15, 0.1])
    score = 0.0 if category in (0, 11) or rng.random() < 0.15 else 1.0
    return [float(value) for value in (x, y, w, h, score, category)]


def moved(rng: np.random.Generator, row: list[float]) -> list[float]:
    """A copy, near or exact, with halves, sometimes of another class."""
    shift = np.round(rng.normal(0, 1.5, 4) * 2) / 2 if rng.random() < 0.7 else np.zeros(4)
    category = float(rng.choice(CATEGORIES)) if rng.random() < 0.15 else row[5]
    return [*(float(value) for value in row[:4] + shift), row[4], category]


def both(images: list[Image]) -> tuple[dict, dict]:
    labels, detections, sizes = zip(*images, strict=True)
    tables = [[np.array(rows).reshape(-1, 6) for rows in side] for side in (labels, detections)]
    return evaluate_images(tables[0], tables[1], sizes), evaluate(images)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_images(seed: int) -> None:
    report, expected = both(random_images(seed))
    assert worst_difference(report, expected) < 1e-9


@pytest.mark.parametrize('seed', range(4))
def test_images_with_more_detections_than_count(seed: int) -> None:
    images = [image for number in range(3) for image in random_images(10 * seed + number, many=True)]
    assert max(len(detections) for _, detections, _ in images) > 100
    report, expected = both(images)
    assert worst_difference(report, expected) < 1e-9


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_covered_share_counts_the_pixels_of_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(5, 40, 2))
    regions = rng.integers(-5, 45, (rng.integers(1, 7), 4)).astype(float)
    boxes = rng.integers(-20, 90, (20, 4)) / 2
    mask = np.zeros((height + 1, width + 1), dtype=bool)
    for row in regions:
        x, y, w, h = (int(max(1, value)) for value in row)
        mask[y : min(height, y + h) + 1, x : min(width, x + w) + 1] = True
    size = np.array([[width, height]], dtype=float)
    found = covered_shares(boxes, np.array([0, 20]), regions, np.array([0, len(regions)]), size)
    for box, share in zip(boxes, found, strict=True):
        x, y, w, h = (max(1, away_from_zero(value)) for value in box)
        x, y = min(x, width), min(y, height)
        count = mask[y + 1 : min(height, y + h) + 1, x + 1 : min(width, x + w) + 1].sum()
        assert share == count / (w * h)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_an_area_range_that_holds_everything_changes_nothing(seed: int) -> None:
    images = random_images(seed)
    labels, detections, _ = zip(*images, strict=True)
    tables = [table_of([np.array(rows).reshape(-1, 6) for rows in side], str) for side in (labels, detections)]
    sides = Sides.of(*tables)
    whole, plain = sides.evaluate((-1e9, 1e9)), sides.evaluate()
    np.testing.assert_array_equal(whole.precision, plain.precision)
    np.testing.assert_array_equal(whole.images, plain.images)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(-50, 50), st.integers(-50, 50))
def test_moving_everything_changes_nothing_without_regions(seed: int, right: int, down: int) -> None:
    images = [([row for row in labels if row[5]], detections, None) for labels, detections, _ in random_images(seed)]
    shifted = [
        (
            [[r[0] + right, r[1] + down, *r[2:]] for r in labels],
            [[r[0] + right, r[1] + down, *r[2:]] for r in found],
            None,
        )
        for labels, found, _ in images
    ]
    first, second = both(images)[0], both(shifted)[0]
    assert all(first[name] == second[name] for name in METRICS)
