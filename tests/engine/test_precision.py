"""Mixed precision on the CPU: what runs in bf16 and what stays in float32."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import pytest
import torch
from helpers.nets import pillars_config, raw_batch, segmentor_config
from helpers.runs import differences
from helpers.toy import ToyNet, write_config
from mmengine.optim import build_optim_wrapper
from torch import nn

import pointkd.engine  # noqa: F401
from pointkd.core.errors import ConfigError
from pointkd.engine.precision import keep_heads_in_float32, use_channels_last, with_amp
from pointkd.engine.train import train
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch

WRAPPER = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3), clip_grad=dict(max_norm=1.0))


def step(network: nn.Module, batch: dict, amp: bool) -> dict[str, torch.Tensor]:
    """Run a forward and a backward pass as a training step does, and return the losses."""
    if amp:
        use_channels_last(network)
        keep_heads_in_float32(network)
    wrapper = build_optim_wrapper(network, with_amp(WRAPPER) if amp else copy.deepcopy(WRAPPER))
    with wrapper.optim_context(network):
        losses = network(**network.data_preprocessor(batch, True), mode='loss')
    total, scalars = network.parse_losses(losses)
    total.backward()
    return scalars


@pytest.mark.parametrize('kind', ['points', 'images'])
def test_close_to_float32_with_losses_and_gradients_in_float32(kind: str) -> None:
    config = pillars_config() if kind == 'points' else segmentor_config()
    batch = raw_batch() if kind == 'points' else dummy_batch(config, 2)
    torch.manual_seed(0)
    plain = build_model(config).train()
    mixed = copy.deepcopy(plain)
    exact, rough = step(plain, copy.deepcopy(batch), amp=False), step(mixed, copy.deepcopy(batch), amp=True)
    assert list(exact) == list(rough)
    for name, value in rough.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], rtol=0.05, atol=0.05)
    assert all(p.grad is None or p.grad.dtype == p.dtype == torch.float32 for p in mixed.parameters())
    buffers = [b for b in mixed.buffers() if b.is_floating_point()]
    assert all(b.dtype == torch.float32 for b in buffers)
    for (name, ours), other in zip(mixed.named_buffers(), plain.buffers(), strict=True):
        if 'running_' in name:
            torch.testing.assert_close(ours, other, rtol=0.05, atol=0.05)


def test_head_sees_float32_and_copies_keep_that() -> None:
    network = ToyNet()
    keep_heads_in_float32(network)
    twin = copy.deepcopy(network)
    inputs, targets = [torch.randn(3, 8, 8)], [torch.tensor(0.5)]
    with torch.autocast('cpu', torch.bfloat16):
        assert network.head(network.body(torch.stack(inputs))).dtype == torch.bfloat16
        twin(inputs, targets, mode='loss')
    assert twin.head.seen == [torch.float32]
    assert network.head.seen == []  # the copy's method belongs to the copy


def test_channels_last_leaves_sparse_layers_alone() -> None:
    import spconv.pytorch as spconv

    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ConvTranspose2d(8, 4, 2), nn.BatchNorm2d(4))
    sparse = nn.Sequential(spconv.SubMConv2d(4, 8, 3))
    use_channels_last(network)
    use_channels_last(sparse)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert sparse[0].weight.is_contiguous()


def test_block_for_this_machine(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: {'avx2': True})
    with caplog.at_level(logging.WARNING, logger='pointkd'):
        block = with_amp({**WRAPPER, 'type': 'AmpOptimWrapper', 'loss_scale': 'dynamic', 'accumulative_counts': 2})
    assert block == {**WRAPPER, 'type': 'CpuAmpOptimWrapper', 'accumulative_counts': 2}
    assert 'neither amx_bf16 nor avx512_bf16' in caplog.text
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert with_amp(WRAPPER)['type'] == 'AmpOptimWrapper'
    with pytest.raises(ConfigError, match=r'optim_wrapper\.type is ApexOptimWrapper'):
        with_amp({'type': 'ApexOptimWrapper'})


def test_run_in_mixed_precision_repeats_and_resumes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = load_config(write_config(tmp_path))
    train(config, tmp_path / 'whole', amp=True)
    short = load_config(write_config(tmp_path, "train_cfg['max_epochs'] = 2\n"))
    train(short, tmp_path / 'parts', amp=True)
    train(config, tmp_path / 'plain')
    assert 'state_dict' in differences(tmp_path / 'whole' / 'last.pth', tmp_path / 'plain' / 'last.pth')
    train(config, tmp_path / 'parts', amp=True, resume=True)
    assert differences(tmp_path / 'whole' / 'last.pth', tmp_path / 'parts' / 'last.pth') == []


def test_stock_amp_wrapper_works_without_a_gpu(tmp_path: Path) -> None:
    extra = "optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')\ntrain_cfg['max_epochs'] = 1\n"
    runner = train(load_config(write_config(tmp_path, extra)), tmp_path / 'run')
    assert runner.network.head.seen[-1] == torch.float32
