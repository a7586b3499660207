"""The dense ops through mmcv's own functions and layers, where no golden file reaches."""

import pytest
import torch

from pointkd.ops import standin
from pointkd.ops.autograd import gradients
from pointkd.ops.carafe import carafe_reference
from pointkd.ops.focal_loss import sigmoid_focal_loss_reference, softmax_focal_loss_reference

standin.install()
mmcv_ops = pytest.importorskip('mmcv.ops')


@pytest.mark.parametrize('name', ['carafe', 'carafe_naive'])
def test_carafe(name):
    features = torch.randn(2, 4, 3, 4, dtype=torch.float64, requires_grad=True)
    masks = torch.randn(2, 18, 6, 8, dtype=torch.float64, requires_grad=True)
    output = getattr(mmcv_ops, name)(features, masks, 3, 2, 2)
    grad = torch.randn_like(output)
    output.backward(grad)
    torch.testing.assert_close(output, carafe_reference(features, masks, 3, 2, 2))
    slow = gradients(lambda f, m: carafe_reference(f, m, 3, 2, 2), [features, masks], grad)
    torch.testing.assert_close((features.grad, masks.grad), slow)


def test_carafe_layer():
    layer = mmcv_ops.CARAFEPack(channels=8, scale_factor=2)
    layer(torch.randn(2, 8, 5, 6)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
@pytest.mark.parametrize(
    ('name', 'reference'),
    [('sigmoid_focal_loss', sigmoid_focal_loss_reference), ('softmax_focal_loss', softmax_focal_loss_reference)],
)
def test_focal_losses_with_class_weights(name, reference, reduction):
    logits = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    target, weight = torch.arange(8) % 3, torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    loss = getattr(mmcv_ops, name)(logits, target, 2.0, 0.25, weight, reduction)

    def slow(logits):
        losses = reference(logits, target, 2.0, 0.25) * (
            weight[target] if 'softmax' in name else weight[target][:, None]
        )
        return losses.sum() / (8 if reduction == 'mean' else 1)

    torch.testing.assert_close(loss, slow(logits))
    loss.backward()
    torch.testing.assert_close(logits.grad, gradients(slow, [logits], torch.ones_like(loss))[0])


@pytest.mark.parametrize('step', [1, 2, 32])
def test_im2col_step_changes_nothing(step):
    layer = mmcv_ops.DeformConv2dPack(4, 6, (3, 2), padding=1, deform_groups=2, im2col_step=step)
    torch.manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    output = layer(torch.arange(2 * 4 * 5 * 6.0).view(2, 4, 5, 6).sin())
    output.sum().backward()
    layer.im2col_step = 2
    again = layer(torch.arange(2 * 4 * 5 * 6.0).view(2, 4, 5, 6).sin())
    torch.testing.assert_close(output, again)


def test_modulated_layer_under_autocast():
    layer = mmcv_ops.ModulatedDeformConv2dPack(4, 6, 3, padding=1)
    inputs = torch.randn(2, 4, 7, 8, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        output = layer(inputs)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), layer(inputs), rtol=0.05, atol=0.05)
    with torch.autocast('cpu', torch.bfloat16):
        output.float().sum().backward()
    assert inputs.grad.dtype == torch.float32
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_max_roi_align_stores_where_it_sampled():
    features = torch.randn(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.0, 1.0, 1.0, 5.0, 4.0], [0.0, -30.0, -30.0, -20.0, -20.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: mmcv_ops.roi_align(f, boxes, (2, 3), 1.0, 2, 'max', True), features)


def test_inverted_boxes_raise():
    with pytest.raises(RuntimeError, match='x1 <= x2'):
        mmcv_ops.roi_align(torch.zeros(1, 1, 4, 4), torch.tensor([[0.0, 3.0, 3.0, 1.0, 4.0]]), (2, 2))


def test_psa_mask_in_half_precision():
    mask = torch.randn(1, 9, 4, 5, dtype=torch.bfloat16, requires_grad=True)
    mmcv_ops.PSAMask('collect', (3, 3))(mask).sum().backward()
    assert mask.grad.dtype == torch.bfloat16
    assert int(mask.grad.sum()) == (4 * 3 - 2) * (5 * 3 - 2)  # pairs of neighbours on the map, an axis at a time
