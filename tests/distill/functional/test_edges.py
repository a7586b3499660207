"""Edges of label maps: reference masks, a slow loop, the image's edge, ignored pixels, bad and empty input."""

from __future__ import annotations

import pytest
import torch
from helpers.label_maps import labels_6x8
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from pointkd.core.errors import ConfigError, DataError, ShapeError
from pointkd.distill.functional import edge_mask, nearest_labels, pooled_edges, pooled_share

AS_CLASS = """
00111100 00111100 00000000
00111111 00111100 00000000
00111110 00111100 00001110
00111110 00111100 00011110
00111000 00111100 00011111
00011000 00000000 00011000
"""
NO_EDGE = """
00111100 00111100 00000000
00111100 00111100 00000000
00111110 00111100 00001110
00111110 00111100 00011110
00111000 00111100 00011100
00011000 00000000 00011000
"""


def picture(text):
    """Masks (3, 6, 8) from rows of three masks side by side."""
    rows = [[[float(mark) for mark in mask] for mask in line.split()] for line in text.strip().splitlines()]
    return torch.tensor(rows).transpose(0, 1)


def slow(labels, classes, kernel, ignore, ignore_is_class):
    """The definition, window by window."""
    height, width = labels.shape
    reach = kernel // 2
    mask = torch.zeros(classes, height, width)
    for y in range(height):
        for x in range(width):
            window = labels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].flatten().tolist()
            others = set(window) if ignore_is_class else set(window) - {ignore}
            for label in range(classes):
                dilated, eroded = label in window, others == {label}
                mask[label, y, x] = float(dilated and not eroded and labels[y, x] != ignore)
    return mask


@pytest.mark.parametrize(
    ('ignore_is_class', 'text', 'sums'), [(True, AS_CLASS, [25, 20, 14]), (False, NO_EDGE, [23, 20, 12])]
)
def test_reference_masks(ignore_is_class, text, sums):
    mask = edge_mask(labels_6x8(), 3, 3, 255, ignore_is_class)
    assert torch.equal(mask, picture(text))
    assert mask.sum((1, 2)).tolist() == sums
    batch = edge_mask(labels=labels_6x8()[None], classes=3, kernel=3, ignore=255, ignore_is_class=ignore_is_class)
    assert torch.equal(batch[0], mask)


def test_reference_pooling():
    expected = [
        [[0, 1, 1, 0.5], [0, 1, 1, 0.5], [0, 0.75, 0.5, 0]],
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0.5, 0.5, 0]],
        [[0, 0, 0, 0], [0, 0.25, 1, 0.5], [0, 0.5, 0.75, 0.5]],
    ]
    pooled = pooled_edges(labels_6x8()[None], 3, (3, 4), 3, 255, True)
    assert torch.equal(pooled[0], torch.tensor(expected))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5, 7]), st.booleans())
def test_equals_the_slow_loop(seed, height, width, kernel, ignore_is_class):
    labels = torch.randint(0, 4, (height, width), generator=torch.Generator().manual_seed(seed))
    labels[labels == 3] = 9  # ignored
    mask = edge_mask(labels, 3, kernel, 9, ignore_is_class)
    assert torch.equal(mask, slow(labels, 3, kernel, 9, ignore_is_class))
    assert torch.equal(edge_mask(labels.flip(1).t(), 3, kernel, 9, ignore_is_class), mask.flip(2).transpose(1, 2))


@pytest.mark.parametrize('ignore_is_class', [True, False])
def test_the_images_edge_makes_no_edge(ignore_is_class):
    assert edge_mask(torch.ones(5, 6, dtype=torch.uint8), 3, 5, 255, ignore_is_class).sum() == 0


def test_padding_makes_no_edge_unless_ignore_is_a_class():
    labels = torch.ones(6, 6, dtype=torch.int64)
    labels[:, 4:] = 255
    assert edge_mask(labels, 2, 3).sum() == 0
    as_class = edge_mask(labels, 2, 3, ignore_is_class=True)
    assert as_class[1].sum(0).tolist() == [0, 0, 0, 6, 0, 0]
    assert as_class[0].sum() == 0


def test_parts_of_large_maps_fit_together(monkeypatch):
    labels = torch.randint(0, 5, (2, 12, 10), generator=torch.Generator().manual_seed(3))
    whole = edge_mask(labels, 5, 3)
    monkeypatch.setattr('pointkd.distill.functional.edges._PIXELS', 7)
    assert torch.equal(edge_mask(labels, 5, 3), whole)
    assert torch.equal(pooled_edges(labels, 5, (6, 5), 3), avg_pool2d(whole, 2))


def test_cells_of_uneven_size_keep_the_mean():
    labels = torch.randint(0, 3, (1, 7, 11), generator=torch.Generator().manual_seed(1))
    pooled = pooled_edges(labels, 3, (3, 5), 3)
    fine = edge_mask(labels, 3, 3)
    for y, rows in enumerate(((0, 2), (2, 5), (5, 7))):  # centres at 3/7 of a cell and so on
        for x, columns in enumerate(((0, 2), (2, 4), (4, 7), (7, 9), (9, 11))):
            block = fine[0, :, slice(*rows), slice(*columns)]
            assert torch.allclose(pooled[0, :, y, x], block.mean((1, 2)))


def test_shares_and_nearest_labels():
    labels = labels_6x8()[None]
    share = pooled_share(labels != 255, (3, 4))
    assert share.shape == (1, 1, 3, 4)
    assert share[0, 0, 1].tolist() == [1, 1, 1, 0.5]
    assert torch.equal(nearest_labels(labels, (3, 4)), labels[:, 1::2, 1::2])
    assert torch.equal(nearest_labels(labels, (6, 8)), labels)


@pytest.mark.parametrize('shape', [(0, 4, 4), (2, 0, 4), (2, 4, 0)])
def test_empty_maps(shape):
    labels = torch.zeros(shape, dtype=torch.int64)
    assert edge_mask(labels, 3, 3).shape == (shape[0], 3, *shape[1:])


def test_no_images_in_a_batch():
    assert pooled_edges(torch.zeros((0, 4, 4), dtype=torch.int64), 3, (2, 2)).shape == (0, 3, 2, 2)


def test_images_without_a_label():
    assert edge_mask(torch.full((2, 4, 4), 255), 3, 3, ignore_is_class=True).sum() == 0


@pytest.mark.parametrize(
    ('labels', 'options', 'error', 'words'),
    [
        (torch.tensor([[0, 3]]), {}, DataError, r'expected 0\.\.2 or 255 .*, got 3 in 1 pixels'),
        (torch.tensor([[0, -1]]), {}, DataError, 'got -1'),
        (torch.tensor([[0, 255]]), dict(ignore=None), DataError, 'got 255'),
        (torch.tensor([[0.0, 1.0]]), {}, DataError, 'whole numbers, got torch.float32'),
        (torch.tensor([0, 1]), {}, ShapeError, 'N, H, W'),
        (torch.zeros(1, 1, 2, 2, dtype=torch.int64), {}, ShapeError, 'N, H, W'),
        (torch.tensor([[0, 1]]), dict(kernel=4), ConfigError, 'odd number'),
        (torch.tensor([[0, 1]]), dict(kernel=-3), ConfigError, 'odd number'),
    ],
)
def test_bad_labels(labels, options, error, words):
    with pytest.raises(error, match=words):
        edge_mask(labels, 3, **options)


@pytest.mark.parametrize('size', [(3, 8), (12, 16), (0, 4), (6, 1)])
def test_grids_that_do_not_fit(size):
    with pytest.raises(ShapeError, match='must cover the same image'):
        pooled_edges(labels_6x8()[None], 3, size)
