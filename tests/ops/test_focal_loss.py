import pytest
import torch
from torch.autograd import gradcheck

from pointkd.core.errors import DataError
from pointkd.ops.autograd import gradients
from pointkd.ops.focal_loss import (
    sigmoid_focal_loss,
    sigmoid_focal_loss_reference,
    softmax_focal_loss,
    softmax_focal_loss_reference,
)

SETTINGS = [(2.0, 0.25), (1.0, 0.5), (1.5, 0.9)]


def scene(dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(9, 4, generator=generator, dtype=torch.float64).to(dtype) * 3, torch.arange(
        9
    ) % 5  # 4: background


@pytest.mark.parametrize('setting', SETTINGS)
def test_sigmoid_equals_the_reference(setting):
    logits, target = scene()
    output = sigmoid_focal_loss(logits, target, *setting)
    torch.testing.assert_close(output, sigmoid_focal_loss_reference(logits, target, *setting))
    grad = torch.randn_like(output)
    slow = gradients(lambda x: sigmoid_focal_loss_reference(x, target, *setting), [logits], grad)
    torch.testing.assert_close(gradients(lambda x: sigmoid_focal_loss(x, target, *setting), [logits], grad), slow)
    assert gradcheck(lambda x: sigmoid_focal_loss(x, target, *setting), logits.requires_grad_())


@pytest.mark.parametrize('setting', SETTINGS)
def test_softmax_equals_the_reference(setting):
    logits, target = scene()
    target = target - 1  # -1 counts nothing
    output = softmax_focal_loss(logits, target, *setting)
    torch.testing.assert_close(output, softmax_focal_loss_reference(logits, target, *setting))
    grad = torch.randn_like(output)
    slow = gradients(lambda x: softmax_focal_loss_reference(x, target, *setting), [logits], grad)
    torch.testing.assert_close(gradients(lambda x: softmax_focal_loss(x, target, *setting), [logits], grad), slow)
    assert gradcheck(lambda x: softmax_focal_loss(x, target, *setting), logits.requires_grad_())


def test_class_weights():
    logits, target = scene()
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    factor = torch.tensor([*weight.tolist(), 1.0], dtype=torch.float64)[target]  # 1 for background
    plain = sigmoid_focal_loss(logits, target, 2.0, 0.25)
    torch.testing.assert_close(sigmoid_focal_loss(logits, target, 2.0, 0.25, weight), plain * factor[:, None])
    classes = target % 4
    plain = softmax_focal_loss(logits, classes, 2.0, 0.25)
    torch.testing.assert_close(softmax_focal_loss(logits, classes, 2.0, 0.25, weight), plain * weight[classes])


@pytest.mark.parametrize('loss', [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_large_logits_stay_finite(loss, dtype):
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], dtype=dtype, requires_grad=True)
    output = loss(logits, torch.tensor([1, 1]), 2.0, 0.25)
    assert output.dtype == dtype
    assert output.isfinite().all()
    output.sum().backward()
    assert logits.grad.isfinite().all()
    assert output.flatten()[1] > 10 or loss is softmax_focal_loss


def test_no_predictions():
    logits, target = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    assert sigmoid_focal_loss(logits, target, 2.0, 0.25).shape == (0, 3)
    losses = softmax_focal_loss(logits, target, 2.0, 0.25)
    assert losses.shape == (0,)
    losses.sum().backward()
    assert logits.grad.shape == (0, 3)


def test_target_beyond_the_classes():
    with pytest.raises(DataError, match='targets below 4'):
        softmax_focal_loss(*scene(), 2.0, 0.25)
