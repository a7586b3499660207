from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops import soft_nms as module
from pointkd.ops.box_overlaps import bbox_overlaps
from pointkd.ops.soft_nms import METHODS, soft_nms


def _boxes(count: int, seed: int, dtype: torch.dtype, levels: int) -> tuple[Tensor, Tensor]:
    """Return crowded boxes and scores that take few values, so that many are equal."""
    generator = torch.Generator().manual_seed(seed)
    corner = (torch.rand(count, 2, generator=generator) * 6).round()
    boxes = torch.cat([corner, corner + 1 + (torch.rand(count, 2, generator=generator) * 6).round()], dim=1)
    scores = (torch.rand(count, generator=generator) * levels).ceil() / levels
    return boxes.to(dtype), scores.to(dtype)


def _slow(boxes: Tensor, scores: Tensor, threshold: float, sigma: float, min_score: float, method: str, offset: int):
    """Take one box a round from plain lists; scores must differ."""
    ious = bbox_overlaps(boxes, boxes, offset=offset).tolist()
    pool = dict(enumerate(scores.tolist()))
    taken = []
    while pool:
        best = max(pool, key=lambda index: pool[index])
        taken.append((best, pool.pop(best)))
        for index in list(pool):
            iou = ious[best][index]
            if method == 'gaussian':
                pool[index] *= math.exp(-(iou**2) / sigma)
            elif iou >= threshold:
                pool[index] *= 1 - iou if method == 'linear' else 0
            if pool[index] < min_score:
                del pool[index]
    return taken


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('offset', [0, 1])
def test_equals_the_slow_loop(method: str, offset: int) -> None:
    boxes, _ = _boxes(40, 0, torch.float64, 5)
    scores = torch.rand(40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    dets, index = soft_nms(boxes, scores, 0.3, 0.5, 0.05, method=method, offset=offset)
    expected = _slow(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    assert index.tolist() == [best for best, _ in expected]
    assert torch.equal(dets[:, :4], boxes[index])
    torch.testing.assert_close(dets[:, 4], torch.tensor([score for _, score in expected], dtype=torch.float64))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 30),
    levels=st.integers(1, 20),
    method=st.sampled_from(['naive', 'linear']),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_both_backends_agree_on_equal_scores(
    seed: int, count: int, levels: int, method: str, dtype: torch.dtype
) -> None:
    boxes, scores = _boxes(count, seed, dtype, levels)
    settings_of_run = (0.25, 0.5, 0.2, method, 0)
    for actual, wanted in zip(
        module._soft_nms_numba(boxes, scores, *settings_of_run),
        module._soft_nms_torch(boxes, scores, *settings_of_run),
        strict=True,
    ):
        assert torch.equal(actual, wanted)


def test_input_is_left_alone() -> None:
    boxes, scores = _boxes(20, 0, torch.float32, 5)
    before = boxes.clone(), scores.clone()
    soft_nms(boxes, scores)
    assert torch.equal(boxes, before[0])
    assert torch.equal(scores, before[1])


def test_half_precision_runs() -> None:
    boxes, scores = _boxes(20, 0, torch.float16, 5)
    dets, index = soft_nms(boxes, scores)
    assert dets.dtype == torch.float16
    assert len(dets) == len(index) > 0


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match="expected one of naive, linear, gaussian, got 'hard'"):
        soft_nms(torch.zeros(1, 4), torch.zeros(1), method='hard')
    with pytest.raises(ShapeError, match='scores'):
        soft_nms(torch.zeros(1, 4), torch.zeros(2))
