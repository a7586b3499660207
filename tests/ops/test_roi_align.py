import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops import roi_align as module
from pointkd.ops.autograd import gradients
from pointkd.ops.roi_align import (
    AlignSettings,
    InvertedBoxError,
    roi_align,
    roi_align_from_argmax,
    roi_align_reference,
    roi_align_with_argmax,
)

CASES = [
    AlignSettings((2, 3), 0.5, 2, 'avg', True),
    AlignSettings((2, 3), 0.5, 2, 'max', True),
    AlignSettings((3, 2), 1.0, 0, 'avg', True),
    AlignSettings((3, 2), 1.0, 0, 'max', False),
    AlignSettings((1, 1), 0.25, 3, 'avg', False),
]


def scene(boxes=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 3, 7, 9, dtype=torch.float64, generator=generator)
    corners = torch.rand(boxes, 2, 2, dtype=torch.float64, generator=generator) * 24 - 6
    low, high = corners.min(1).values, corners.max(1).values
    image = torch.randint(0, 2, (boxes, 1), generator=generator).double()
    return features, torch.cat([image, low, high], dim=1)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_equals_the_reference(case):
    features, boxes = scene()
    torch.testing.assert_close(roi_align(features, boxes, case), roi_align_reference(features, boxes, case))
    grad = torch.randn(6, 3, *case.output_size, dtype=torch.float64)
    slow = gradients(lambda f: roi_align_reference(f, boxes, case), [features], grad)
    torch.testing.assert_close(gradients(lambda f: roi_align(f, boxes, case), [features], grad), slow)


@pytest.mark.parametrize('case', CASES[:2], ids=str)
def test_gradcheck(case):
    features, boxes = scene(boxes=3)
    assert gradcheck(lambda f: roi_align(f, boxes, case), features.requires_grad_())


def test_gradient_from_the_argmax():
    features, boxes = scene(boxes=20)
    case = CASES[1]
    output, y, x = roi_align_with_argmax(features, boxes, case)
    grad = torch.randn_like(output)
    (expected,) = gradients(lambda f: roi_align(f, boxes, case), [features], grad)
    torch.testing.assert_close(roi_align_from_argmax(grad, boxes, y, x, tuple(features.shape)), expected)


def test_pieces_give_the_same(monkeypatch):
    features, boxes = scene()
    whole = [roi_align(features, boxes, case) for case in CASES]
    monkeypatch.setattr(module, 'SAMPLES_AT_ONCE', 30)
    monkeypatch.setattr(module, 'VALUES_AT_ONCE', 60)
    for case, expected in zip(CASES, whole, strict=True):
        torch.testing.assert_close(roi_align(features, boxes, case), expected, rtol=0, atol=0)


@pytest.mark.parametrize('case', CASES, ids=str)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_other_types(case, dtype):
    features, boxes = scene()
    features = features.to(dtype)
    output = roi_align(features, boxes, case)
    assert output.dtype == dtype
    expected = roi_align(features.float(), boxes, case)
    torch.testing.assert_close(output.float(), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_no_boxes(case):
    features = scene()[0].requires_grad_()
    output, _, x = roi_align_with_argmax(features, torch.zeros(0, 5, dtype=torch.float64), case)
    assert output.shape == (0, 3, *case.output_size)
    output.sum().backward()
    assert not features.grad.any()
    empty = roi_align_from_argmax(
        output, torch.zeros(0, 5), torch.zeros_like(output), x.reshape(output.shape), (2, 3, 7, 9)
    )
    assert not empty.any()


def test_boxes_without_a_sample_give_zero():
    features = scene()[0].float()
    point = torch.tensor([[0.0, 3.0, 3.0, 3.0, 3.0]])
    for mode in ('avg', 'max'):
        assert not roi_align(features, point, AlignSettings((2, 2), mode=mode)).any()


def test_inverted_boxes():
    features, boxes = scene()
    boxes[2, 3] = boxes[2, 1] - 1
    with pytest.raises(InvertedBoxError, match=r'in box 2 \(1 of 6 boxes\)'):
        roi_align(features, boxes, AlignSettings((2, 2)))
    assert issubclass(InvertedBoxError, RuntimeError)
    narrow = boxes[2:3].clone()
    narrow[:, 3] = narrow[:, 1] + 1
    older = AlignSettings((2, 2), sampling_ratio=2, aligned=False)
    torch.testing.assert_close(roi_align(features, boxes[2:3], older), roi_align(features, narrow, older))


def test_bad_input():
    features, boxes = scene()
    with pytest.raises(ShapeError, match='boxes'):
        roi_align(features, boxes[:, 1:], CASES[0])
    with pytest.raises(ConfigError, match='median'):
        AlignSettings((2, 2), mode='median')


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.permutations(range(6)))
def test_order_of_boxes_does_not_matter(seed, order):
    features, boxes = scene(seed=seed)
    case = CASES[seed % len(CASES)]
    torch.testing.assert_close(roi_align(features, boxes[order], case), roi_align(features, boxes, case)[order])
