import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from pointkd.core.errors import ShapeError
from pointkd.ops.autograd import gradients
from pointkd.ops.carafe import carafe, carafe_reference

CASES = [(3, 1, 2), (5, 2, 1), (3, 2, 3), (1, 1, 2)]


def scene(kernel, groups, scale, batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(7)
    features = torch.randn(batch, 4, 3, 4, generator=generator, dtype=torch.float64)
    masks = torch.randn(batch, groups * kernel**2, 3 * scale, 4 * scale, generator=generator, dtype=torch.float64)
    return features.to(dtype), masks.to(dtype)


@pytest.mark.parametrize('case', CASES)
def test_equals_the_reference(case):
    features, masks = scene(*case)
    output = carafe(features, masks, *case)
    torch.testing.assert_close(output, carafe_reference(features, masks, *case))
    grad = torch.randn_like(output)
    slow = gradients(lambda f, m: carafe_reference(f, m, *case), [features, masks], grad)
    torch.testing.assert_close(gradients(lambda f, m: carafe(f, m, *case), [features, masks], grad), slow)


def test_gradcheck():
    leaves = [tensor.requires_grad_() for tensor in scene(3, 2, 2, batch=1)]
    assert gradcheck(lambda f, m: carafe(f, m, 3, 2, 2), leaves)


def test_a_mask_of_one_repeats_pixels():
    features, masks = scene(1, 1, 2)
    expected = F.interpolate(features, scale_factor=2)
    torch.testing.assert_close(carafe(features, torch.ones_like(masks), 1, 1, 2), expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_other_types(dtype):
    features, masks = scene(3, 2, 2, dtype=dtype)
    output = carafe(features, masks, 3, 2, 2)
    assert output.dtype == dtype
    torch.testing.assert_close(
        output.double(), carafe(features.double(), masks.double(), 3, 2, 2), rtol=0.05, atol=0.05
    )


def test_no_samples():
    features, masks = (tensor.requires_grad_() for tensor in scene(3, 2, 2, batch=0))
    output = carafe(features, masks, 3, 2, 2)
    assert output.shape == (0, 4, 6, 8)
    output.sum().backward()
    assert masks.grad.shape == masks.shape


def test_bad_input():
    features, masks = scene(3, 2, 2)
    with pytest.raises(ShapeError, match='masks'):
        carafe(features, masks, 3, 2, 1)
    with pytest.raises(ShapeError, match='odd kernel'):
        carafe(features, masks, 2, 2, 2)
