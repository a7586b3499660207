"""Masked generation: hidden cells and the error of what was restored."""

from __future__ import annotations

import pytest
import torch
from helpers.index_maps import map_a, map_b

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import generation_error, random_cells


def test_hidden_cells():
    kept = random_cells((4, 50, 60), 0.65, torch.Generator().manual_seed(0))
    assert kept.shape == (4, 1, 50, 60)
    assert kept.dtype == torch.bool
    assert kept.float().mean().item() == pytest.approx(0.35, abs=0.02)
    assert not torch.equal(kept[0], kept[1])
    assert random_cells((1, 5, 5), 0.0, torch.Generator()).all()
    for hidden in (-0.1, 1.0):
        with pytest.raises(ConfigError, match='hidden'):
            random_cells((1, 2, 2), hidden, torch.Generator())


def test_the_error_is_a_sum_over_a_sample():
    ours, theirs = map_a().requires_grad_(), map_b().requires_grad_()
    loss = generation_error(ours, theirs)
    pairs = zip(map_a().flatten().tolist(), map_b().flatten().tolist(), strict=True)
    assert loss.item() == pytest.approx(sum((a - b) ** 2 for a, b in pairs) / 2)
    loss.backward()
    assert torch.allclose(ours.grad, (map_a() - map_b()))
    assert theirs.grad is None
    assert torch.autograd.gradcheck(lambda x: generation_error(x, map_b()), (map_a().requires_grad_(),))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    ours = (map_a() * 2e4).to(dtype).requires_grad_()
    loss = generation_error(ours, (map_b() * -2e4).to(dtype))
    loss.backward()
    assert loss.isfinite()


def test_empty_and_bad_input():
    ours = torch.zeros(0, 3, 4, 4, requires_grad=True)
    generation_error(ours, torch.zeros(0, 3, 4, 4)).backward()
    with pytest.raises(ShapeError, match='equal shapes'):
        generation_error(map_a(), map_b()[:1])
