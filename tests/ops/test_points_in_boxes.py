from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.boxes import points_in_box
from pointkd.core.errors import ShapeError
from pointkd.ops import points_in_boxes as module
from pointkd.ops.points_in_boxes import points_in_boxes_all, points_in_boxes_part

PRECISIONS = [torch.float32, torch.float64]


def _scene(samples: int, points: int, boxes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    cloud = torch.rand(samples, points, 3, generator=generator) * torch.tensor([8.0, 8, 3])
    scale = torch.tensor([8, 8, 1, 3, 2, 2, 6.3])
    return cloud, torch.rand(samples, boxes, 7, generator=generator) * scale + torch.tensor([0, 0, 0, 1, 1, 1, -3.1])


def test_equals_the_box_test_of_the_core() -> None:
    points, boxes = _scene(2, 400, 7)
    inside = points_in_boxes_all(points, boxes)
    part = points_in_boxes_part(points, boxes)
    for sample in range(2):
        expected = np.stack([points_in_box(points[sample].numpy(), box.numpy()) for box in boxes[sample]], axis=1)
        np.testing.assert_array_equal(inside[sample].numpy(), expected)
        first = np.where(expected.any(1), expected.argmax(1), -1)
        np.testing.assert_array_equal(part[sample].numpy(), first)
    assert (inside.dtype, part.dtype) == (torch.int32, torch.int32)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), quarter=st.integers(-4, 4), precision=st.sampled_from(PRECISIONS))
def test_both_backends_agree_on_faces(seed: int, quarter: int, precision: torch.dtype) -> None:
    """Points on a grid that holds the faces of the boxes, boxes turned by quarters: rounding decides."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randint(0, 9, (60, 3), generator=generator).float() * 0.1
    boxes = torch.randint(1, 9, (5, 7), generator=generator).float() * 0.1
    boxes[:, 6] = quarter * math.pi / 2
    points, boxes = points.to(precision), boxes.to(precision)
    assert torch.equal(module._inside(points, boxes, precision), module._inside_torch(points, boxes))


def _inside_float32(points: np.ndarray, box: np.ndarray) -> list[bool]:
    """Decide with single float32 operations, as mmcv's compiled loop does."""
    f32 = np.float32
    half = box[3:6] / f32(2)
    cos, sin = f32(math.cos(float(box[6]))), f32(math.sin(float(box[6])))
    answers = []
    for x, y, z in points - np.array([box[0], box[1], 0], f32):
        along, across = f32(x * cos) + f32(y * sin), f32(y * cos) - f32(x * sin)
        inside = abs(f32(z - f32(box[2] + half[2]))) <= half[2] and abs(along) < half[0] and abs(across) < half[1]
        answers.append(bool(inside))
    return answers


@pytest.mark.parametrize('yaw', [0.0, math.pi / 2, -math.pi / 2, math.pi, 0.4])
def test_compiled_arithmetic_on_faces(yaw: float) -> None:
    from pointkd.ops import standin

    standin.install()
    import mmcv.ops

    axis = torch.arange(-5, 6).float() * 0.1
    points = torch.cartesian_prod(axis, axis, axis)
    box = torch.tensor([0.1, -0.2, -0.3, 0.6, 0.4, 0.5, yaw])
    mask = mmcv.ops.points_in_boxes_cpu(points[None], box[None, None])[0, :, 0]
    assert mask.bool().tolist() == _inside_float32(points.numpy(), box.numpy())


def test_top_and_bottom_belong_sides_do_not() -> None:
    box = torch.tensor([[[0.0, 0, 1, 4, 2, 2, 0]]])
    points = torch.tensor([[[0.0, 0, 1], [0, 0, 3], [0, 0, 3.001], [2, 0, 2], [0, 1, 2], [1.999, 0.999, 2]]])
    assert points_in_boxes_all(points, box)[0, :, 0].tolist() == [1, 1, 0, 0, 0, 1]


@pytest.mark.parametrize(('points', 'boxes'), [(0, 3), (5, 0), (0, 0)])
def test_empty(points: int, boxes: int) -> None:
    scene = torch.zeros(2, points, 3), torch.zeros(2, boxes, 7)
    assert points_in_boxes_all(*scene).shape == (2, points, boxes)
    assert points_in_boxes_part(*scene).tolist() == [[-1] * points] * 2


def test_bad_input() -> None:
    for function in (points_in_boxes_all, points_in_boxes_part):
        with pytest.raises(ShapeError, match='expected one batch size, got 1 and 2'):
            function(torch.zeros(1, 5, 3), torch.zeros(2, 5, 7))
        with pytest.raises(ShapeError, match='points'):
            function(torch.zeros(1, 5, 4), torch.zeros(1, 5, 7))
