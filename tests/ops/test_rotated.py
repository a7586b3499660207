from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops import nms_rotated as suppression
from pointkd.ops import rotated
from pointkd.ops.greedy import best_first
from pointkd.ops.nms_rotated import nms_rotated
from pointkd.ops.rotated import box_iou_rotated, overlap_rotated

LENGTH = st.floats(0.01, 30, allow_subnormal=False)
BOX = st.tuples(st.floats(-5, 5), st.floats(-5, 5), LENGTH, LENGTH, st.floats(-10, 10))


def _polygon(box: Tensor) -> Polygon:
    x, y, width, height, angle = box.tolist()
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(a * width / 2, b * height / 2) for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    return Polygon([(x + u * cos - v * sin, y + u * sin + v * cos) for u, v in corners])


def random_boxes(count: int, seed: int, spread: float = 6.0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return boxes (N, 5) the size of cars."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([spread, spread, 3.0, 1.5, 6.3])
    boxes = torch.rand(count, 5, generator=generator) * scale + torch.tensor([0, 0, 2.5, 1.0, -3.1])
    return boxes.to(dtype)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(first=BOX, second=BOX)
def test_equals_polygons(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    boxes = torch.tensor([first, second], dtype=torch.float64)
    expected = _polygon(boxes[0]).intersection(_polygon(boxes[1])).area
    scale = float((boxes[:, 2] * boxes[:, 3]).max())
    assert float(overlap_rotated(boxes[:1], boxes[1:])) == pytest.approx(expected, abs=1e-9 * scale)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(box=BOX, shift=st.floats(-1e-9, 1e-9), turn=st.floats(-1e-9, 1e-9), quarter=st.integers(0, 3))
def test_nearly_equal_boxes(box: tuple[float, ...], shift: float, turn: float, quarter: int) -> None:
    """Edges that nearly coincide, where clipping with tolerances goes wrong."""
    x, y, width, height, angle = box
    if quarter % 2:
        width, height = height, width
    other = (x + shift, y - shift, width, height, angle + turn + quarter * math.pi / 2)
    pair = torch.tensor([box, other], dtype=torch.float64)
    assert float(box_iou_rotated(pair[:1], pair[1:])) == pytest.approx(1.0, abs=1e-5)
    assert float(box_iou_rotated(pair[:1], pair[1:])) <= 1.0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(first=BOX, second=BOX, turn=st.floats(-7, 7), scale=st.floats(0.1, 10))
def test_motion_and_scale_change_nothing(
    first: tuple[float, ...], second: tuple[float, ...], turn: float, scale: float
) -> None:
    boxes = torch.tensor([first, second], dtype=torch.float64)
    cos, sin = math.cos(turn), math.sin(turn)
    moved = boxes.clone()
    moved[:, 0], moved[:, 1] = boxes[:, 0] * cos - boxes[:, 1] * sin, boxes[:, 0] * sin + boxes[:, 1] * cos
    moved[:, :4] *= scale
    moved[:, 4] += turn
    before = box_iou_rotated(boxes, boxes)
    torch.testing.assert_close(box_iou_rotated(moved, moved), before, rtol=0, atol=1e-9)
    torch.testing.assert_close(before, before.T, rtol=0, atol=1e-9)
    assert bool(((before >= 0) & (before <= 1)).all())


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_both_backends_agree(dtype: torch.dtype) -> None:
    first, second = random_boxes(60, 0, dtype=dtype), random_boxes(60, 1, dtype=dtype)
    for aligned in (False, True):
        loop = overlap_rotated(first, second, aligned)
        torch.testing.assert_close(loop, rotated._overlap_torch(first.double(), second.double(), aligned))
    assert box_iou_rotated(first, second).dtype == dtype


@pytest.mark.parametrize(
    ('first', 'second', 'iou', 'iof'),
    [
        ((0, 0, 4, 2, 0), (0, 0, 4, 2, math.pi / 2), 4 / 12, 4 / 8),
        ((0, 0, 2, 2, 0), (0, 0, 2, 2, math.pi / 4), 1 / math.sqrt(2), 2 * math.sqrt(2) - 2),
        ((0, 0, 4, 4, 0.3), (0, 0, 2, 2, 1.1), 4 / 16, 4 / 16),
        ((0, 0, 2, 2, 0), (2, 0, 2, 2, 0), 0, 0),
        ((0, 0, 2, 2, 0), (9, 0, 2, 2, 0), 0, 0),
        ((0, 0, 0, 2, 0), (0, 0, 2, 2, 0), 0, 0),
        ((0, 0, 2, 2, 0), (0, 0, -2, 2, 0), 0, 0),
    ],
)
def test_known_values(first: tuple[float, ...], second: tuple[float, ...], iou: float, iof: float) -> None:
    boxes = torch.tensor([first], dtype=torch.float64), torch.tensor([second], dtype=torch.float64)
    assert float(box_iou_rotated(*boxes)) == pytest.approx(iou, abs=1e-6)
    assert float(box_iou_rotated(*boxes, mode='iof')) == pytest.approx(iof, abs=1e-6)


def test_empty() -> None:
    assert box_iou_rotated(torch.zeros(0, 5), torch.zeros(3, 5)).shape == (0, 3)
    assert box_iou_rotated(torch.zeros(0, 5), torch.zeros(0, 5), aligned=True).shape == (0,)
    assert nms_rotated(torch.zeros(0, 5), torch.zeros(0), 0.1).tolist() == []


def _slow_nms(boxes: Tensor, scores: Tensor, threshold: float, labels: Tensor) -> list[int]:
    ious = box_iou_rotated(boxes, boxes).float()
    kept: list[int] = []
    for index in best_first(scores).tolist():
        if not any(labels[index] == labels[best] and ious[best, index] > threshold for best in kept):
            kept.append(index)
    return kept


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 40),
    threshold=st.sampled_from([0.0, 0.01, 0.3, 0.9]),
    classes=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_nms_equals_the_slow_loop(seed: int, count: int, threshold: float, classes: int, dtype: torch.dtype) -> None:
    boxes = random_boxes(count, seed, 8.0, dtype)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(count, generator=generator)
    labels = torch.randint(classes, (count,), generator=generator)
    assert nms_rotated(boxes, scores, threshold, labels).tolist() == _slow_nms(boxes, scores, threshold, labels)


@pytest.mark.parametrize('threshold', [0.01, 0.5, -1.0])
def test_nms_backends_agree(threshold: float) -> None:
    boxes = random_boxes(600, 2, 40.0)  # more than two blocks of the torch version
    labels = torch.randint(2, (600,), generator=torch.Generator().manual_seed(0))
    loop = suppression.keep_rotated(boxes, labels, threshold)
    assert torch.equal(loop, suppression._keep_torch(boxes, labels, threshold))
    assert 0 < int(loop.sum()) < 600


@pytest.mark.parametrize('keep', [suppression.keep_rotated, suppression._keep_torch])
def test_broken_boxes_are_kept_and_suppress_nothing(keep) -> None:
    boxes = random_boxes(5, 0, 1.0)
    boxes[0, 0], boxes[1, 2], boxes[2, 2] = float('nan'), float('nan'), -3.0
    alone = keep(boxes[3:], torch.zeros(2, dtype=torch.int64), 0.1)
    assert alone.tolist() == [True, False]
    assert keep(boxes, torch.zeros(5, dtype=torch.int64), 0.1).tolist() == [True, True, True, *alone.tolist()]


def test_iou_equal_to_the_threshold_does_not_suppress() -> None:
    boxes = torch.tensor([[0.0, 0, 3, 1, 0.7], [0, 0, 1, 1, 0.7]])  # IoU 1/3, in float32 too
    scores = torch.tensor([0.9, 0.8])
    assert nms_rotated(boxes, scores, 1 / 3).tolist() == [0, 1]
    assert nms_rotated(boxes, scores, 0.333).tolist() == [0]


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match="expected 'iou' or 'iof'"):
        box_iou_rotated(torch.zeros(1, 5), torch.zeros(1, 5), 'giou')
    with pytest.raises(ShapeError, match='boxes2'):
        box_iou_rotated(torch.zeros(1, 5), torch.zeros(1, 4))
    with pytest.raises(ShapeError, match='got 1 and 2'):
        box_iou_rotated(torch.zeros(1, 5), torch.zeros(2, 5), aligned=True)
    with pytest.raises(ShapeError, match='labels'):
        nms_rotated(torch.zeros(2, 5), torch.zeros(2), 0.1, torch.zeros(3))
