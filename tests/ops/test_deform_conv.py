import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from pointkd.core.errors import ShapeError
from pointkd.ops import deform_conv as module
from pointkd.ops.autograd import gradients
from pointkd.ops.deform_conv import (
    DeformInputs,
    DeformSettings,
    deform_conv2d,
    deform_conv2d_backward,
    deform_conv2d_reference,
)

CASES = {
    'plain': (DeformSettings(), (3, 3), False),
    'stride and padding differ by axis': (DeformSettings((2, 1), (1, 2), (1, 2)), (3, 2), True),
    'groups': (DeformSettings(padding=(1, 1), groups=2, deform_groups=3), (3, 3), True),
}
NAMES = ('features', 'offset', 'weight', 'mask')


def make(case, batch=2, size=(4, 5), scale=1.5, dtype=torch.float64):
    geometry, kernel, modulated = CASES[case]
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator).to(dtype)

    features, weight = normal(batch, 6, *size), normal(4, 6 // geometry.groups, *kernel)
    height, width = module.output_size(DeformInputs(features, features, weight), geometry)
    taps = kernel[0] * kernel[1] * geometry.deform_groups
    offset = normal(batch, 2 * taps, height, width) * scale
    mask = normal(batch, taps, height, width).sigmoid() if modulated else None
    return DeformInputs(features, offset, weight, mask), geometry


def tensors(inputs):
    return [getattr(inputs, name) for name in NAMES if getattr(inputs, name) is not None]


@pytest.mark.parametrize('case', CASES)
def test_equals_the_reference(case):
    inputs, geometry = make(case)
    output = deform_conv2d(inputs, geometry)
    torch.testing.assert_close(output, deform_conv2d_reference(inputs, geometry))
    grad = torch.randn_like(output)
    slow = gradients(lambda *t: deform_conv2d_reference(DeformInputs(*t), geometry), tensors(inputs), grad)
    fast = gradients(lambda *t: deform_conv2d(DeformInputs(*t), geometry), tensors(inputs), grad)
    names = NAMES[: len(slow)]
    kernel = deform_conv2d_backward(grad, inputs, geometry, names)
    for name, expected, value in zip(names, slow, fast, strict=True):
        torch.testing.assert_close(value, expected, msg=name)
        torch.testing.assert_close(kernel[name], expected, msg=name)


def test_gradcheck():
    inputs, geometry = make('groups', batch=1, size=(3, 3))
    leaves = [tensor.requires_grad_() for tensor in tensors(inputs)]
    assert gradcheck(lambda *t: deform_conv2d(DeformInputs(*t), geometry), leaves)


@pytest.mark.parametrize('case', CASES)
def test_zero_offset_is_a_convolution(case):
    inputs, geometry = make(case, scale=0)
    mask = None if inputs.mask is None else torch.ones_like(inputs.mask)
    output = deform_conv2d(DeformInputs(inputs.features, inputs.offset, inputs.weight, mask), geometry)
    expected = F.conv2d(
        inputs.features, inputs.weight, None, geometry.stride, geometry.padding, geometry.dilation, geometry.groups
    )
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize('limit', [1, 500, 3000])
def test_parts_give_the_same(monkeypatch, limit):
    inputs, geometry = make('groups')
    whole = deform_conv2d(inputs, geometry)
    grad = torch.randn_like(whole)
    expected = deform_conv2d_backward(grad, inputs, geometry, NAMES)
    monkeypatch.setattr(module, 'SAMPLED_AT_ONCE', limit)
    torch.testing.assert_close(deform_conv2d(inputs, geometry), whole)
    found = deform_conv2d_backward(grad, inputs, geometry, NAMES)
    for name in NAMES:
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize('limit', [20_000, 100_000])
def test_sampled_values_stay_within_the_limit(monkeypatch, limit):
    held = []

    def watched(*arguments):
        rows = weighted_rows(*arguments)
        held.append(rows.numel())
        return rows

    weighted_rows = module.weighted_rows
    monkeypatch.setattr(module, 'weighted_rows', watched)
    monkeypatch.setattr(module, 'SAMPLED_AT_ONCE', limit)
    inputs, geometry = make('plain', batch=4, size=(30, 40))
    grad = torch.ones_like(deform_conv2d(inputs, geometry))
    deform_conv2d_backward(grad, inputs, geometry, NAMES[:3])
    assert max(held) <= limit
    assert sum(held) == 2 * 4 * 6 * 9 * 28 * 38  # twice: samples, channels, taps, output pixels


def test_far_offsets_and_nan_give_zero():
    inputs, geometry = make('plain')
    for far in (1e30, -1e30, float('inf'), float('nan'), -7.0):
        moved = DeformInputs(inputs.features, torch.full_like(inputs.offset, far), inputs.weight)
        assert not deform_conv2d(moved, geometry).any()
        grads = deform_conv2d_backward(torch.ones(2, 4, 2, 3).double(), moved, geometry, NAMES[:3])
        assert not any(grad.any() for grad in grads.values())


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_other_types(dtype):
    inputs, geometry = make('groups', dtype=dtype)
    output = deform_conv2d(inputs, geometry)
    assert output.dtype == dtype
    wide = DeformInputs(*(tensor.double() for tensor in tensors(inputs)))
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    torch.testing.assert_close(output.double(), deform_conv2d(wide, geometry), rtol=tolerance, atol=tolerance)
    grads = deform_conv2d_backward(torch.ones_like(output), inputs, geometry, NAMES)
    assert {grad.dtype for grad in grads.values()} == {dtype}


def test_no_samples():
    inputs, geometry = make('groups', batch=0)
    leaves = [tensor.requires_grad_() for tensor in tensors(inputs)]
    output = deform_conv2d(DeformInputs(*leaves), geometry)
    assert output.shape == (0, 4, 4, 5)
    output.sum().backward()
    assert not leaves[2].grad.any()
    assert not deform_conv2d_backward(output.detach(), inputs, geometry, NAMES)['weight'].any()


def test_bad_input():
    inputs, geometry = make('groups')
    with pytest.raises(ShapeError, match='offset'):
        deform_conv2d(DeformInputs(inputs.features, inputs.offset[:, 2:], inputs.weight), geometry)
    with pytest.raises(ShapeError, match='mask'):
        deform_conv2d(DeformInputs(inputs.features, inputs.offset, inputs.weight, inputs.mask[:, :, 1:]), geometry)
    with pytest.raises(ShapeError, match='smaller than the kernel'):
        deform_conv2d(DeformInputs(inputs.features[:, :, :1, :1], inputs.offset, inputs.weight), DeformSettings())
    with pytest.raises(ShapeError, match='6 channels do not fit'):
        deform_conv2d(inputs, DeformSettings(padding=(1, 1)))
