"""Focal distillation: slow loops, masks by hand, gradients, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import attentions, box_masks, focal

FIRST = torch.arange(20.0).reshape(4, 5) % 3 / 3
MASK = torch.stack([FIRST, 1 - FIRST]).double()


def slow(student, teacher, foreground, background, tau):
    """The three parts with plain floats."""
    samples, channels, height, width = student.shape
    cells = [(y, x) for y in range(height) for x in range(width)]

    def softmax(values, factor):
        powers = [math.exp(value / tau) for value in values]
        return [factor * power / sum(powers) for power in powers]

    def attend(m):
        spatial = softmax([sum(abs(m[c][y][x]) for c in range(channels)) / channels for y, x in cells], len(cells))
        channel = softmax([sum(abs(m[c][y][x]) for y, x in cells) / len(cells) for c in range(channels)], channels)
        return spatial, channel

    parts = [0.0, 0.0, 0.0]
    for n in range(samples):
        s, t = student[n].tolist(), teacher[n].tolist()
        (own_spatial, own_channel), (spatial, channel) = attend(s), attend(t)
        for number, (y, x) in enumerate(cells):
            for c in range(channels):
                error = spatial[number] * channel[c] * (s[c][y][x] - t[c][y][x]) ** 2
                parts[0] += error * float(foreground[n, y, x])
                parts[1] += error * float(background[n, y, x])
        parts[2] += sum(abs(a - b) for a, b in zip(own_spatial, spatial, strict=True))
        parts[2] += sum(abs(a - b) for a, b in zip(own_channel, channel, strict=True))
    return [part / samples for part in parts]


@pytest.mark.parametrize('tau', [0.5, 0.8])
def test_equals_the_slow_loop(tau):
    parts = focal(map_a(), map_b(), MASK, 1 - MASK, tau)
    expected = slow(map_a(), map_b(), MASK, 1 - MASK, tau)
    assert [float(part) for part in parts] == pytest.approx(expected, rel=1e-10)


def test_attentions_have_the_mean_one():
    spatial, channel = attentions(map_a(), 0.5)
    assert torch.allclose(spatial.mean((1, 2)), torch.ones(2).double())
    assert torch.allclose(channel.mean(1), torch.ones(2).double())


def test_masks_by_hand():
    boxes = torch.tensor(
        [[0.0, 0.0, 16.0, 16.0], [8.0, 8.0, 15.9, 15.0], [30.0, 20.0, 90.0, 90.0], [5.0, 5.0, 5.0, 9.0]]
    )
    foreground, background = box_masks([boxes, boxes[:0]], (4, 5), (0.0, 0.0), (8.0, 8.0))
    expected = torch.tensor(
        [
            [1 / 4, 1 / 4, 0, 0, 0],
            [1 / 4, 1.0, 0, 0, 0],  # the smaller box wins
            [0, 0, 0, 1 / 4, 1 / 4],  # cut off at the edge of the map
            [0, 0, 0, 1 / 4, 1 / 4],
        ]
    )
    assert torch.allclose(foreground[0], expected)
    assert torch.allclose(background[0], (expected == 0) / 12)
    assert not foreground[1].any()
    assert torch.allclose(background[1], torch.full((4, 5), 1 / 20))


def test_masks_follow_origin_and_unequal_cells():
    box = torch.tensor([[1.0, -3.0, 1.9, -2.1]])
    foreground, _ = box_masks([box], (4, 5), (0.0, -4.0), (0.5, 1.0))
    assert torch.nonzero(foreground[0]).tolist() == [[1, 2], [1, 3]]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.floats(-20, 60)] * 4), max_size=4))
def test_masks_are_shares(entries):
    boxes = torch.tensor(entries).reshape(-1, 4)
    foreground, background = box_masks([boxes], (4, 5), (0.0, 0.0), (8.0, 8.0))
    assert ((foreground > 0) != (background > 0)).all()
    assert background.sum() == pytest.approx(1, rel=1e-5) or not (background > 0).any()
    assert 0 <= float(foreground.sum()) <= len(boxes) + 1e-5  # at most 1 an object


def test_gradients_reach_the_student_alone():
    student, teacher = map_a()[:, :2].requires_grad_(), map_b()[:, :2].requires_grad_()
    total = lambda x: sum(focal(x, teacher.detach(), MASK, 1 - MASK, 0.5))  # noqa: E731
    assert torch.autograd.gradcheck(total, (student + 0.01,))  # away from |0|
    sum(focal(student, teacher, MASK, 1 - MASK, 0.5)).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = (map_a() * 2e4).to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = sum(focal(student, (map_b() * 2e4).to(dtype), MASK, 1 - MASK, 0.5))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()


def test_empty_input_gives_zero_with_a_gradient_path():
    student = torch.zeros(0, 3, 4, 5, requires_grad=True)
    foreground, background = box_masks([], (4, 5), (0.0, 0.0), (8.0, 8.0))
    loss = sum(focal(student, torch.zeros(0, 3, 4, 5), foreground, background, 0.5))
    loss.backward()
    assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ShapeError, match='equal shapes'):
        focal(map_a(), map_b()[:, :2], MASK, MASK, 0.5)
    with pytest.raises(ShapeError, match='background'):
        focal(map_a(), map_b(), MASK, MASK[:1], 0.5)
    with pytest.raises(ConfigError, match='tau'):
        focal(map_a(), map_b(), MASK, MASK, 0.0)
