from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ShapeError
from pointkd.ops import nms as module
from pointkd.ops.box_overlaps import bbox_overlaps
from pointkd.ops.greedy import best_first
from pointkd.ops.nms import nms, nms_match

DTYPES = [torch.float32, torch.float64]


def random_boxes(
    count: int, seed: int, dtype: torch.dtype = torch.float32, whole: bool = False
) -> tuple[Tensor, Tensor]:
    """Return boxes (N, 4), crowded, with whole coordinates (and so exact ratios) where asked for, and scores (N,)."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 20
    boxes = torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=generator) * 12], dim=1)
    return (boxes.round() if whole else boxes).to(dtype), torch.rand(count, generator=generator).to(dtype)


def slow_groups(boxes: Tensor, scores: Tensor, threshold: float, offset: int, inclusive: bool) -> list[list[int]]:
    """Return each kept box and what it suppresses, pair by pair."""
    ious = bbox_overlaps(boxes, boxes, offset=offset)
    limit = torch.tensor(threshold, dtype=boxes.dtype)
    groups: list[list[int]] = []
    for index in best_first(scores).tolist():
        for group in groups:
            iou = ious[group[0], index]
            if iou > limit or (inclusive and iou == limit):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 40),
    threshold=st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]),
    offset=st.integers(0, 1),
    dtype=st.sampled_from(DTYPES),
)
def test_equals_the_slow_loop(seed: int, count: int, threshold: float, offset: int, dtype: torch.dtype) -> None:
    boxes, scores = random_boxes(count, seed, dtype, whole=True)
    kept = [group[0] for group in slow_groups(boxes, scores, threshold, offset, inclusive=False)]
    assert nms(boxes, scores, threshold, offset).tolist() == kept
    assert nms_match(boxes, scores, threshold) == slow_groups(boxes, scores, threshold, 0, inclusive=True)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('threshold', [0.1, 0.6, -1.0])
def test_both_backends_agree(dtype: torch.dtype, threshold: float) -> None:
    boxes, scores = random_boxes(700, 1, dtype)  # more than two blocks of the torch version
    order = best_first(scores)
    kept = order[module._keep_torch(boxes[order], threshold, 0)]
    assert nms(boxes, scores, threshold).tolist() == kept.tolist()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_properties(seed: int) -> None:
    boxes, scores = random_boxes(30, seed)
    kept = nms(boxes, scores, 0.4)
    ious = bbox_overlaps(boxes, boxes)
    assert int(kept[0]) == int(scores.argmax())
    assert bool((scores[kept].diff() <= 0).all())
    assert float((ious[kept][:, kept] - torch.eye(len(kept))).max()) <= 0.4
    assert bool(((ious[kept] > 0.4).any(0)).all())  # whatever went, a kept box removed it
    again = nms(boxes[kept], scores[kept], 0.4)
    assert again.tolist() == list(range(len(kept)))
    shuffle = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    assert shuffle[nms(boxes[shuffle], scores[shuffle], 0.4)].tolist() == kept.tolist()
    assert sorted(index for group in nms_match(boxes, scores, 0.4) for index in group) == list(range(30))


def test_half_precision_runs() -> None:
    boxes, scores = random_boxes(50, 0)
    assert len(nms(boxes.half(), scores.half(), 0.5)) > 0


def test_empty_and_strided() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert nms_match(torch.zeros(0, 4), torch.zeros(0), 0.5) == []
    boxes, scores = random_boxes(40, 3)
    dets = torch.cat([boxes, scores[:, None]], dim=1)
    assert nms(dets[:, :4], dets[:, 4], 0.3).tolist() == nms(boxes, scores, 0.3).tolist()


def test_bad_input() -> None:
    for function in (nms, nms_match):
        with pytest.raises(ShapeError, match='boxes'):
            function(torch.zeros(2, 5), torch.zeros(2), 0.5)
        with pytest.raises(ShapeError, match='scores'):
            function(torch.zeros(2, 4), torch.zeros(3), 0.5)
