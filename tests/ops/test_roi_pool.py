import pytest
import torch
from torch.autograd import gradcheck

from pointkd.core.errors import ShapeError
from pointkd.ops import roi_pool as module
from pointkd.ops.autograd import gradients
from pointkd.ops.roi_pool import roi_pool, roi_pool_from_argmax, roi_pool_reference, roi_pool_with_argmax

SIZE, SCALE = (3, 2), 0.5


def scene(boxes=12):
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 3, 7, 9, dtype=torch.float64, generator=generator)
    # Some are inverted, some outside the map.
    corners = torch.rand(boxes, 4, dtype=torch.float64, generator=generator) * 40 - 10
    image = torch.randint(0, 2, (boxes, 1), generator=generator).double()
    return features, torch.cat([image, corners], dim=1)


def test_equals_the_reference():
    features, boxes = scene()
    output, argmax = roi_pool_with_argmax(features, boxes, SIZE, SCALE)
    expected = roi_pool_reference(features, boxes, SIZE, SCALE)
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
    assert (argmax < 0).any()
    assert not output[argmax < 0].any()
    grad = torch.randn_like(output)
    (slow,) = gradients(lambda f: roi_pool_reference(f, boxes, SIZE, SCALE), [features], grad)
    torch.testing.assert_close(gradients(lambda f: roi_pool(f, boxes, SIZE, SCALE), [features], grad)[0], slow)
    torch.testing.assert_close(roi_pool_from_argmax(grad, boxes, argmax, tuple(features.shape)), slow)


def test_gradcheck():
    features, boxes = scene(boxes=4)
    assert gradcheck(lambda f: roi_pool(f, boxes, SIZE, SCALE), features.requires_grad_())


def test_by_hand():
    features = torch.arange(16.0).view(1, 1, 4, 4)
    output = roi_pool(features, torch.tensor([[0.0, 0.0, 0.0, 3.0, 1.0]]), (1, 2))  # rows 0 and 1, all columns
    assert output.flatten().tolist() == [5.0, 7.0]


def test_pieces_give_the_same(monkeypatch):
    features, boxes = scene()
    whole = roi_pool(features, boxes, SIZE, SCALE)
    monkeypatch.setattr(module, 'PIXELS_AT_ONCE', 10)
    torch.testing.assert_close(roi_pool(features, boxes, SIZE, SCALE), whole, rtol=0, atol=0)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_other_types(dtype):
    features, boxes = scene()
    features = features.to(dtype)
    output = roi_pool(features, boxes, SIZE, SCALE)
    assert output.dtype == dtype
    torch.testing.assert_close(output, roi_pool_reference(features, boxes, SIZE, SCALE), rtol=0, atol=0)


def test_no_boxes():
    features = scene()[0].requires_grad_()
    output, argmax = roi_pool_with_argmax(features, torch.zeros(0, 5), SIZE)
    assert output.shape == argmax.shape == (0, 3, *SIZE)
    output.sum().backward()
    assert not features.grad.any()
    assert not roi_pool_from_argmax(output.detach(), torch.zeros(0, 5), argmax, (2, 3, 7, 9)).any()


def test_bad_input():
    with pytest.raises(ShapeError, match='boxes'):
        roi_pool(scene()[0], torch.zeros(2, 4), SIZE)
