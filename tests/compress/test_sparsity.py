"""The penalty's values, and that it acts once a step, after unscaling, on the right layers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.prunable import Chain, toy
from helpers.toy import CONFIG
from mmengine.optim import OptimWrapper
from torch import nn

import pointkd.engine  # noqa: F401
from pointkd.compress import graphs
from pointkd.compress.run import loss_gradients
from pointkd.compress.sparsity import BINS, add_subgradient, histogram, rate, shrink
from pointkd.compress.sparsity_hook import SparsityHook
from pointkd.core.errors import ConfigError
from pointkd.engine.train import train
from pointkd.io.build import build_model
from pointkd.io.config import load_config

SCALES = [0.5, -0.3, 0.0, 1e-4, 1.2]
TASK = [0.02, -0.01, 0.05, 0.0, -0.03]
STRENGTH, LR = 0.01, 0.1
# γ − lr (g + λ sign γ), and softshrink(γ − lr g, lr λ)
SUBGRADIENT = [0.497, -0.298, -0.005, -0.0009, 1.202]
PROXIMAL = [0.497, -0.298, -0.004, 0.0, 1.202]


def scales() -> nn.Parameter:
    """Return the scales with the gradient of the task."""
    values = nn.Parameter(torch.tensor(SCALES, dtype=torch.float64))
    values.grad = torch.tensor(TASK, dtype=torch.float64)
    return values


def test_the_subgradient_by_hand() -> None:
    values = scales()
    add_subgradient([values], STRENGTH)
    torch.optim.SGD([values], lr=LR).step()
    assert values.tolist() == pytest.approx(SUBGRADIENT, abs=1e-12)


def test_the_proximal_step_by_hand() -> None:
    values = scales()
    torch.optim.SGD([values], lr=LR).step()
    shrink([values], LR * STRENGTH)
    assert values.tolist() == pytest.approx(PROXIMAL, abs=1e-12)
    assert values[3] == 0


def test_the_papers_schedule() -> None:
    assert [rate(1e-3, 'falling', epoch / 100) for epoch in (0, 50, 99)] == pytest.approx([0.001, 0.00055, 0.000109])
    assert rate(1e-3, 'rising', 1) == pytest.approx(0.001)
    assert rate(1e-3, 'constant', 0.7) == 0.001
    assert rate(1e-3, 'cosine', 1) == pytest.approx(0)
    with pytest.raises(ConfigError, match="did you mean 'falling'"):
        rate(1e-3, 'fallin', 0)


def test_the_histogram_counts_every_scale() -> None:
    counts = histogram([torch.tensor([0.0, -0.01, 0.5]), torch.tensor([9.0, -1.5])])
    assert len(counts) == BINS
    assert counts[0] == 2
    assert counts[20] == 1
    assert counts[-1] == 2
    assert sum(counts) == 5


class Norm(nn.Module):
    """One batch norm with the scales above, whose loss has the gradient above."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(5).double()
        with torch.no_grad():
            self.norm.weight.copy_(torch.tensor(SCALES))

    def loss(self) -> torch.Tensor:
        return (self.norm.weight * torch.tensor(TASK, dtype=torch.float64)).sum()


def runner_of(network: nn.Module, wrapper: object, folder: Path) -> SimpleNamespace:
    """Return what the hook looks at of a runner."""
    return SimpleNamespace(
        model=network,
        optim_wrapper=wrapper,
        work_dir=folder,
        epoch=0,
        max_epochs=10,
        iter=0,
        max_iters=10,
        train_loop=object(),
        logger=SimpleNamespace(info=lambda text: None),
    )


def started(network: nn.Module, wrapper: object, folder: Path, **settings: object) -> SparsityHook:
    """Return a hook that stands in an optimiser's way."""
    hook = SparsityHook(strength=STRENGTH, layers=['norm'], **settings)
    runner = runner_of(network, wrapper, folder)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    return hook


@pytest.mark.parametrize(('kind', 'expected'), [('subgradient', SUBGRADIENT), ('proximal', PROXIMAL)])
def test_once_a_step_under_accumulation(kind: str, expected: list[float], tmp_path: Path) -> None:
    network = Norm()
    wrapper = OptimWrapper(torch.optim.SGD(network.parameters(), lr=LR), accumulative_counts=4)
    wrapper.initialize_count_status(network, 0, 4)
    started(network, wrapper, tmp_path, kind=kind)
    for _ in range(4):
        wrapper.update_params(network.loss())
    assert network.norm.weight.tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(('kind', 'expected'), [('subgradient', SUBGRADIENT), ('proximal', PROXIMAL)])
def test_after_unscaling(kind: str, expected: list[float], tmp_path: Path) -> None:
    network = Norm()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    started(network, SimpleNamespace(optimizer=optimizer), tmp_path, kind=kind)
    scaler = torch.amp.GradScaler('cpu', init_scale=65536.0)
    scaler.scale(network.loss()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert network.norm.weight.tolist() == pytest.approx(expected, abs=1e-7)


def test_a_skipped_step_is_skipped(tmp_path: Path) -> None:
    network = Norm()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    started(network, SimpleNamespace(optimizer=optimizer), tmp_path, kind='proximal')
    scaler = torch.amp.GradScaler('cpu', init_scale=65536.0)
    scaler.scale(network.loss() * float('inf')).backward()
    scaler.step(optimizer)
    assert network.norm.weight.tolist() == pytest.approx(SCALES, abs=1e-7)


def test_after_clipping(tmp_path: Path) -> None:
    network = Norm()
    wrapper = OptimWrapper(torch.optim.SGD(network.parameters(), lr=LR), clip_grad=dict(max_norm=1e-9))
    started(network, wrapper, tmp_path)
    wrapper.update_params(network.loss())
    moved = [start - LR * STRENGTH * ((start > 0) - (start < 0)) for start in SCALES]
    assert network.norm.weight.tolist() == pytest.approx(moved, abs=1e-7)


def test_shifts_are_penalised_where_asked(tmp_path: Path) -> None:
    network = Norm()
    with torch.no_grad():
        network.norm.bias.fill_(0.5)
    optimizer = torch.optim.SGD(network.parameters(), lr=LR)
    hook = started(network, SimpleNamespace(optimizer=optimizer), tmp_path, bias_strength=0.1)
    network.loss().backward()
    optimizer.step()
    assert network.norm.bias.tolist() == pytest.approx([0.49] * 5)
    hook.after_train(None)
    optimizer.zero_grad()
    network.loss().backward()
    optimizer.step()
    assert network.norm.bias.tolist() == pytest.approx([0.49] * 5)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'strength': 0}, 'strength must be above 0'),
        ({'kind': 'prox'}, "did you mean 'proximal'"),
        ({'schedule': 'linear'}, 'schedule'),
        ({'interval': 0}, 'interval'),
    ],
)
def test_bad_settings(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SparsityHook(**settings)


def test_weight_decay_on_scales_is_refused(tmp_path: Path) -> None:
    network = Norm()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, weight_decay=1e-4)
    with pytest.raises(ConfigError, match='norm_decay_mult=0'):
        started(network, SimpleNamespace(optimizer=optimizer), tmp_path)
    with pytest.raises(ConfigError, match=r"no batch norm matches 'nrom'"):
        SparsityHook(layers=['nrom']).before_train(runner_of(network, SimpleNamespace(optimizer=optimizer), tmp_path))


def toy_config(folder: Path) -> Path:
    """Write a short training with the hook."""
    file = folder / 'toy.py'
    hook = "dict(type='SparsityHook', strength=0.02, kind='proximal', layers=['body'])"
    file.write_text(
        CONFIG.replace('custom_hooks = [', f'custom_hooks = [{hook}, ').replace(
            'accumulative_counts=2)', 'accumulative_counts=2, paramwise_cfg=dict(norm_decay_mult=0))'
        )
    )
    return file


def test_a_resumed_run_keeps_its_histograms(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = load_config(toy_config(tmp_path))
    whole = train(config, tmp_path / 'whole')
    record = json.loads((tmp_path / 'whole' / 'sparsity.json').read_text())
    assert [entry['at'] for entry in record['history']] == [1, 2, 3, 4]
    assert [entry['rate'] for entry in record['history']] == pytest.approx(
        [0.02 * (1 - 0.9 * epoch / 4) for epoch in range(4)]
    )
    assert record['layers'] == ['body.1']

    short = load_config(toy_config(tmp_path), options=['train_cfg.max_epochs=4'])
    stopped = train(load_config(toy_config(tmp_path), options=['train_cfg.max_epochs=2']), tmp_path / 'cut')
    assert stopped.epoch == 2
    train(short, tmp_path / 'cut', resume=True)
    again = json.loads((tmp_path / 'cut' / 'sparsity.json').read_text())
    assert [entry['at'] for entry in again['history']] == [1, 2, 3, 4]
    assert whole.epoch == 4


def test_layers_come_from_the_dependency_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, graph = toy(Chain)
    network.out = nn.Sequential(nn.Conv2d(24, 5, 1), nn.BatchNorm2d(5))  # an output: its scales say nothing
    monkeypatch.setitem(graphs.KINDS, 'Chain', lambda _: graph)
    runner = runner_of(network, SimpleNamespace(optimizer=torch.optim.SGD(network.parameters(), lr=LR)), tmp_path)
    hook = SparsityHook()
    hook.before_train(runner)
    assert list(hook.scales) == ['first.1', 'second.1']
    hook = SparsityHook(keep=['second'])
    hook.before_train(runner)
    assert list(hook.scales) == ['first.1']
    network.first[1].weight.requires_grad_(False)
    with pytest.raises(ConfigError, match='no trained batch norm'):
        SparsityHook(keep=['second']).before_train(runner)


def test_gradients_of_the_task_loss_on_training_data(tmp_path: Path) -> None:
    (tmp_path / 'toy.py').write_text(CONFIG)
    config = load_config(tmp_path / 'toy.py')
    network = build_model(config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = loss_gradients(network, config, 3)
    assert set(found) == {name for name, _ in network.named_parameters()}
    assert any(value.abs().max() > 0 for value in found.values())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(ConfigError, match='at least one'):
        loss_gradients(network, config, 0)
