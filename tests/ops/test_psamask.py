import pytest
import torch
from torch.autograd import gradcheck

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops.psamask import psa_mask, psa_mask_reference

SIZES = [(3, 3), (5, 7), (9, 5)]


@pytest.mark.parametrize('kind', ['collect', 'distribute'])
@pytest.mark.parametrize('size', SIZES)
def test_equals_the_reference(kind, size):
    mask = torch.randn(2, size[0] * size[1], 4, 5, dtype=torch.float64, requires_grad=True)
    output, expected = psa_mask(mask, kind, size), psa_mask_reference(mask, kind, size)
    assert torch.equal(output, expected)
    grad = torch.randn_like(output)
    assert torch.equal(*(torch.autograd.grad(result, mask, grad)[0] for result in (output, expected)))


@pytest.mark.parametrize('kind', ['collect', 'distribute'])
def test_gradcheck(kind):
    mask = torch.randn(1, 9, 2, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda m: psa_mask(m, kind, (3, 3)), mask)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_other_types_and_no_samples(dtype):
    assert psa_mask(torch.ones(2, 9, 3, 4, dtype=dtype), 'collect', (3, 3)).dtype == dtype
    assert psa_mask(torch.ones(0, 9, 3, 4, dtype=dtype), 'distribute', (3, 3)).shape == (0, 12, 3, 4)


def test_bad_input():
    with pytest.raises(ShapeError, match='mask'):
        psa_mask(torch.ones(1, 8, 3, 3), 'collect', (3, 3))
    with pytest.raises(ConfigError, match='gather'):
        psa_mask(torch.ones(1, 9, 3, 3), 'gather', (3, 3))
