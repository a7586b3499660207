from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops.box_overlaps import bbox_overlaps


def _boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 10
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator, dtype=torch.float64) * 6], dim=1)


def _pixels(box: list[int]) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(corners=st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=2, max_size=5))
def test_equals_counting_pixels(corners: list[list[int]]) -> None:
    boxes = [[a, b, a + c + 1, b + d + 1] for a, b, c, d in corners]
    ious = bbox_overlaps(*[torch.tensor(boxes, dtype=torch.float64)] * 2)
    last = torch.tensor([[a, b, c - 1, d - 1] for a, b, c, d in boxes], dtype=torch.float64)
    assert torch.equal(bbox_overlaps(last, last, offset=1), ious)  # the last pixel belongs to the box
    for i, first in enumerate(boxes):
        for j, second in enumerate(boxes):
            common, whole = _pixels(first) & _pixels(second), _pixels(first) | _pixels(second)
            assert float(ious[i, j]) == pytest.approx(len(common) / len(whole))


@pytest.mark.parametrize('mode', ['iou', 'iof'])
def test_aligned_is_the_diagonal_and_shifts_change_nothing(mode: str) -> None:
    first, second = _boxes(20, 0), _boxes(20, 1)
    whole = bbox_overlaps(first, second, mode)
    assert torch.equal(bbox_overlaps(first, second, mode, aligned=True), whole.diagonal())
    torch.testing.assert_close(bbox_overlaps(first + 3, second + 3, mode), whole)
    torch.testing.assert_close(bbox_overlaps(first * 5, second * 5, mode), whole)


def test_gradient() -> None:
    first, second = _boxes(4, 0).requires_grad_(), _boxes(3, 1).requires_grad_()
    assert torch.autograd.gradcheck(bbox_overlaps, (first, second))


def test_empty_and_without_area() -> None:
    assert bbox_overlaps(torch.zeros(0, 4), torch.zeros(3, 4)).shape == (0, 3)
    assert bbox_overlaps(torch.zeros(0, 4), torch.zeros(0, 4), aligned=True).shape == (0,)
    assert bool(bbox_overlaps(torch.zeros(1, 4), torch.zeros(1, 4)).isnan())


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match="expected 'iou' or 'iof', got 'giou'"):
        bbox_overlaps(torch.zeros(1, 4), torch.zeros(1, 4), 'giou')
    with pytest.raises(ShapeError, match='boxes2'):
        bbox_overlaps(torch.zeros(1, 4), torch.zeros(1, 5))
    with pytest.raises(ShapeError, match='got 1 and 2'):
        bbox_overlaps(torch.zeros(1, 4), torch.zeros(2, 4), aligned=True)
