"""Boundary metrics: by hand, and against a slow loop over pixels."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import boundary_reference as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pointkd.core.errors import ConfigError, DataError, ShapeError
from pointkd.evaluation.boundary import (
    VOID,
    BoundaryCounter,
    BoundaryCounts,
    BoundaryRules,
    count_image,
    mean_defined,
    scores,
)
from pointkd.evaluation.boundary.borders import BLOCK, mark_borders, mark_distances, mark_void_blocks
from pointkd.evaluation.boundary.counts import Side
from pointkd.evaluation.boundary.discs import disc, largest_square

CLASSES = 3
Pair = tuple[np.ndarray, np.ndarray]


def blobs(rng: np.random.Generator, shape: tuple[int, int], void: float = 0.1) -> np.ndarray:
    """A label image of rectangles, with VOID among them."""
    image = np.full(shape, rng.integers(0, CLASSES), np.uint8)
    for _ in range(int(rng.integers(0, 7))):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        value = VOID if rng.random() < void else rng.integers(0, CLASSES)
        image[y : y + rng.integers(1, shape[0] + 1), x : x + rng.integers(1, shape[1] + 1)] = value
    return image


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    """One or two images: smooth ones or noise, with VOID."""
    made = []
    for _ in range(draw(st.integers(1, 2))):
        shape = (draw(st.integers(1, 12)), draw(st.integers(1, 14)))
        if draw(st.booleans()):
            rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
            made.append((blobs(rng, shape, 0.3), blobs(rng, shape, 0.3)))
        else:
            values = st.sampled_from([0, 0, 0, 1, 2, VOID])
            made.append(tuple(draw(arrays(np.uint8, shape, elements=values)) for _ in range(2)))
    return made


def total(images: list[Pair], rules: BoundaryRules) -> BoundaryCounts:
    counts, counter = BoundaryCounts.zero(CLASSES, rules), BoundaryCounter(CLASSES, rules)
    for labels, predictions in images:
        counts = counts + counter.count(labels, predictions)
    return counts


def assert_same(images: list[Pair], rules: BoundaryRules) -> None:
    found = scores(total(images, rules))
    for label in range(CLASSES):
        expected = [slow.trimap_iou(images, label, radius) for radius in rules.trimap_radii]
        np.testing.assert_allclose(found.trimap_iou[:, label], expected, atol=1e-12)
        np.testing.assert_allclose(found.f[label], slow.f_measure(images, label, rules.tolerance), atol=1e-12)
        np.testing.assert_allclose(found.boundary_iou[label], slow.boundary_iou(images, label, rules.band), atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(pairs(), st.sampled_from([0.0, 0.06, 0.1, 0.15, 0.3]), st.sampled_from([0.0, 1.0, 1.5, 3.0]))
def test_equal_to_the_slow_loop(images: list[Pair], band: float, tolerance: float) -> None:
    assert_same(images, BoundaryRules((0, 1, 2.3, 5), tolerance, band))


def test_official_distances_equal_to_the_slow_loop() -> None:
    rng = np.random.default_rng(0)
    images = [(blobs(rng, (24, 32)), blobs(rng, (24, 32))) for _ in range(2)]
    images.append((np.full((5, 7), VOID, np.uint8), images[0][0][:5, :7].copy()))
    assert_same(images, BoundaryRules())
    assert_same(images, BoundaryRules(band=0.05))


@settings(max_examples=60, deadline=None)
@given(pairs(), st.sampled_from([0.0, 1.0, 1.5, 2.0, 2.9, 4.0, 9.0]))
def test_bands_and_trimaps_equal_to_the_slow_loop(images: list[Pair], radius: float) -> None:
    labels = images[0][0]
    side = Side(labels.shape)
    side.look_at(labels, radius, radius)
    expected = np.any([slow.inner_band(labels, label, radius) for label in range(CLASSES)], axis=0)
    np.testing.assert_array_equal(side.bands, expected)
    inside = (side.squares <= largest_square(radius)) & (labels != VOID)
    np.testing.assert_array_equal(inside, slow.trimap(labels, radius))
    found = {(y, x): int(label) for (y, x), label in np.ndenumerate(side.borders) if label != VOID}
    assert found == slow.border_pixels(labels)


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_turned_images_have_the_same_scores(images: list[Pair]) -> None:
    rules = BoundaryRules(band=0.1)
    turned = [(labels.T[::-1], predictions.T[::-1]) for labels, predictions in images]
    first, second = scores(total(images, rules)), scores(total(turned, rules))
    np.testing.assert_allclose(first.trimap_iou, second.trimap_iou)
    np.testing.assert_allclose(first.f, second.f)
    np.testing.assert_allclose(first.boundary_iou, second.boundary_iou)


def test_a_right_prediction_has_full_scores_and_what_lies_on_void_is_free() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.repeat(rng.integers(0, CLASSES, (4, 5)), 10, 0), 10, 1).astype(np.uint8)
    labels[:4], labels[18:24, 18:24] = VOID, VOID
    predictions = np.where(labels == VOID, rng.integers(0, CLASSES, labels.shape), labels).astype(np.uint8)
    found = scores(count_image(labels, predictions, CLASSES))
    for values in (found.trimap_iou, found.f, found.boundary_iou):
        assert set(values[~np.isnan(values)]) == {1.0}


def test_borders_by_hand() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 0, VOID, 1], [2, VOID, 1, 1]], np.uint8)
    expected = np.array([[VOID, 0, 1, VOID], [0, VOID, VOID, VOID], [2, VOID, VOID, VOID]], np.uint8)
    found = np.empty_like(labels)
    mark_borders(labels, found)
    np.testing.assert_array_equal(found, expected)


def test_a_shifted_edge_by_hand() -> None:
    labels, predictions = np.zeros((10, 40), np.uint8), np.zeros((10, 40), np.uint8)
    labels[:, 20:], predictions[:, 24:] = 1, 1
    found = scores(count_image(labels, predictions, 2, BoundaryRules((1, 9), tolerance=3.9, band=0.05)))
    # Border columns 19|20 and 23|24. Radius 1: columns 18..21; the prediction says 0 everywhere.
    np.testing.assert_allclose(found.trimap_iou[0], [0.5, 0.0])
    np.testing.assert_allclose(found.trimap_iou[1], [10 / 14, 6 / 10])  # columns 10..29
    np.testing.assert_allclose(found.f, [0.0, 0.0])  # 4 columns apart
    # The band is 2.06 px wide: three columns a side; 17..19 and 21..23, 20..22 and 24..26 don't meet.
    np.testing.assert_allclose(found.boundary_iou, [0.0, 0.0])
    wider = scores(count_image(labels, predictions, 2, BoundaryRules((1,), tolerance=4.0, band=0.125)))
    np.testing.assert_allclose(wider.f, [1.0, 1.0])
    np.testing.assert_allclose(wider.boundary_iou, [2 / 10, 2 / 10])  # 5.15 px: 14..19 and 18..23


def test_f_is_the_mean_of_images_but_iou_is_one_count() -> None:
    small, large = np.zeros((4, 4), np.uint8), np.zeros((40, 40), np.uint8)
    small[:, 2:], large[:, 20:] = 1, 1
    wrong = np.zeros((40, 40), np.uint8)
    rules = BoundaryRules((1,))
    found = scores(count_image(small, small, 2, rules) + count_image(large, wrong, 2, rules))
    np.testing.assert_allclose(found.f, [0.5, 0.5])
    assert found.trimap_iou[0, 1] == pytest.approx(8 / (8 + 80))


def test_f_where_a_side_has_no_border() -> None:
    plain, split = np.zeros((6, 6), np.uint8), np.zeros((6, 6), np.uint8)
    split[:, 3:] = 1
    assert count_image(plain, plain, 2).f_images.tolist() == [0, 0]  # nothing to compare
    alone = count_image(plain, split, 2)  # class 1 is not in the image
    assert (alone.f_images.tolist(), alone.f_sums.tolist()) == ([1, 0], [0.0, 0.0])
    assert count_image(split, plain, 2).f_images.tolist() == [1, 1]


def test_nothing_labelled_is_undefined() -> None:
    void = np.full((8, 8), VOID, np.uint8)
    found = scores(count_image(void, np.zeros((8, 8), np.uint8), 2))
    assert np.isnan(found.trimap_iou).all()
    assert np.isnan(found.f).all()
    assert np.isnan(found.boundary_iou).all()
    assert mean_defined(found.f) is None
    assert mean_defined(np.array([0.25, np.nan, 0.75])) == 0.5


def test_values_under_void_are_free_and_an_empty_image_counts_nothing() -> None:
    labels = np.array([[0, VOID]], np.uint8)
    assert count_image(labels, np.array([[0, 77]], np.uint8), 2).trimaps.sum() == 0
    empty = np.zeros((0, 4), np.uint8)
    assert count_image(empty, empty, 2).f_images.tolist() == [0, 0]


def test_many_classes_and_one() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 255, (2, 20, 30)).astype(np.uint8)
    counts = count_image(labels, predictions, 255)
    assert counts.trimaps[0].sum() == labels.size
    assert count_image(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.uint8), 1).trimaps.sum() == 0


@pytest.mark.parametrize('reach', [1, 7, 180])
def test_distances(reach: int) -> None:
    rng = np.random.default_rng(reach)
    borders = np.full((60, 400), VOID, np.uint8)
    borders[rng.integers(0, 60, 3), rng.integers(0, 400, 3)] = 1
    y, x = np.indices(borders.shape)
    exact = np.min([(y - row) ** 2 + (x - column) ** 2 for row, column in np.argwhere(borders == 1)], axis=0)
    found = np.empty(borders.shape, np.uint16)
    mark_distances(borders, reach, found)
    far = (reach + 1) ** 2
    np.testing.assert_array_equal(np.minimum(found.astype(int), far), np.minimum(exact, far))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_blocks_near_void(seed: int, reach: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 90)), int(rng.integers(1, 200)))
    void = rng.random(shape) < rng.choice([0, 0.0003, 0.003])
    blocks = np.empty((shape[0], -(-shape[1] // BLOCK)), bool)
    mark_void_blocks(np.where(void, VOID, 1).astype(np.uint8), reach, blocks)
    aside = -(-reach // BLOCK)
    for y, block in np.ndindex(blocks.shape):
        left, right = max(block - aside, 0) * BLOCK, (block + aside + 1) * BLOCK
        assert blocks[y, block] == void[max(y - reach, 0) : y + reach + 1, left:right].any()


@pytest.mark.parametrize('radius', [0.0, 0.4, 1.0, 2.9, 3.0, 11.45])
def test_discs(radius: float) -> None:
    offsets, begins = disc(radius)
    around = range(-12, 13)
    assert sorted(map(tuple, offsets.tolist())) == [
        (row, column) for row in around for column in around if (row**2 + column**2) ** 0.5 <= radius
    ]
    squares = (offsets**2).sum(axis=1)
    assert (np.diff(squares) >= 0).all()
    assert begins.size == squares.max() + 1
    assert begins.tolist() == [int((squares < square).sum()) for square in range(begins.size)]


@pytest.mark.parametrize(('radius', 'square'), [(0, 0), (1, 1), (2.9, 8), (3, 9), (2**0.5, 2), (5**0.5, 5)])
def test_largest_square(radius: float, square: int) -> None:
    assert largest_square(radius) == square


GOOD = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ('labels', 'predictions', 'error', 'message'),
    [
        (GOOD, GOOD.T, ShapeError, r'predictions: expected the size of the labels \(4, 5\), got \(5, 4\)'),
        (GOOD[None], GOOD, ShapeError, 'labels: expected shape'),
        (GOOD.astype(int), GOOD, DataError, 'labels: expected uint8, .* got int64'),
        (GOOD, GOOD + np.uint8(3), DataError, r'predictions: expected 0\.\.2, or 255 for none, got 3'),
    ],
)
def test_wrong_images(labels: np.ndarray, predictions: np.ndarray, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        count_image(labels, predictions, CLASSES)


@pytest.mark.parametrize('classes', [0, 256])
def test_wrong_number_of_classes(classes: int) -> None:
    with pytest.raises(DataError, match=r'classes: expected 1\.\.255'):
        count_image(GOOD, GOOD, classes)


@pytest.mark.parametrize(
    ('rules', 'message'),
    [
        ({'trimap_radii': ()}, 'trimap_radii'),
        ({'trimap_radii': (3, 1)}, 'ascending'),
        ({'trimap_radii': (1, 181)}, 'trimap_radii'),
        ({'tolerance': -1}, 'tolerance'),
        ({'band': float('nan')}, 'band'),
        ({'band': 1.5}, 'band'),
    ],
)
def test_wrong_rules(rules: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BoundaryRules(**rules)


def test_a_band_that_is_too_wide() -> None:
    with pytest.raises(ConfigError, match=r'band: 0.5 is 224 pixels in an image of 400 x 200'):
        BoundaryRules(band=0.5).band_width(200, 400)
