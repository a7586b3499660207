"""Two processes give the gradients of one process with the double batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.distributed import build, free_port, gradients, work
from helpers.nets import image_batch, segmentor_config, write_teacher


@pytest.mark.long
def test_gradients_of_two_processes_equal_one_with_the_double_batch(tmp_path: Path):
    teacher = write_teacher(tmp_path, segmentor_config(8), scope='mmseg')
    plain = build(teacher, None)
    expected = gradients(plain, plain, image_batch(4))
    torch.multiprocessing.spawn(work, (free_port(), teacher, None, str(tmp_path / 'grads.pth')), nprocs=2)
    found = torch.load(tmp_path / 'grads.pth', weights_only=True)
    assert found.keys() == expected.keys()
    assert any(name.startswith('adapters.') and value.abs().sum() > 0 for name, value in expected.items())
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-4, atol=1e-6), name


@pytest.mark.long
def test_a_gradient_share_is_one_factor_for_all_ranks(tmp_path: Path):
    teacher = write_teacher(tmp_path, segmentor_config(8), scope='mmseg')
    torch.multiprocessing.spawn(work, (free_port(), teacher, 0.5, str(tmp_path / 'grads.pth')), nprocs=2)
    assert all(value.isfinite().all() for value in torch.load(tmp_path / 'grads.pth', weights_only=True).values())
