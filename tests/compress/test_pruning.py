"""A cut network equals the dense one with the dropped channels at zero, whatever the topology."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from helpers.prunable import TOPOLOGIES, Chain, Concat, Residual, Split, toy
from torch import nn

from pointkd.compress.checking import check_equal, dropped_at_zero
from pointkd.compress.graphs import TensorGraph
from pointkd.compress.pruning import Pruner, PruneSettings
from pointkd.core.errors import ConfigError, PointKDError
from pointkd.io.plan import Plan


def pruner(kind: type[nn.Module], **settings: object) -> Pruner:
    """Return a toy net's pruner."""
    network, graph = toy(kind)
    return Pruner(network, PruneSettings(**{'multiple': 1, **settings}), (32, 48), graph=graph)


@pytest.mark.parametrize('scope', ['layer', 'global'])
@pytest.mark.parametrize('kind', TOPOLOGIES)
def test_a_cut_network_is_the_dense_one_with_zeros(kind: type[nn.Module], scope: str) -> None:
    work = pruner(kind, scope=scope)
    found = work.prune(0.4)
    assert found.difference < 1e-5
    assert work.costs.params(found.plan) == sum(value.numel() for value in found.network.parameters())
    assert work.costs.params(found.plan) < 0.75 * work.costs.params(Plan())
    assert work.costs.macs(found.plan) == Pruner(found.network, size=(32, 48), graph=work.graph).costs.macs(Plan())


@pytest.mark.parametrize('kind', [Residual, Concat, Split])
def test_zeros_are_what_a_slow_reference_gives(kind: type[nn.Module]) -> None:
    """Silence the producers (weights, means and shifts of dropped channels at zero) in place of the readers."""
    work = pruner(kind)
    found = work.prune(0.4)
    silent = copy.deepcopy(work.network)
    with torch.no_grad():
        for name, layer in found.plan.layers.items():
            module = silent.get_submodule(name)
            goes = sorted(set(range(layer.dense[-1])) - set(layer.outputs))
            for value in (module.weight, module.bias, getattr(module, 'running_mean', None)):
                if value is not None:
                    value[goes] = 0
    inputs = work.graph.make_input(32, 48, 3)
    with torch.no_grad():
        assert torch.allclose(silent(inputs), found.network(inputs), atol=1e-5)
        with dropped_at_zero(work.network, found.plan):
            assert torch.allclose(work.network(inputs), found.network(inputs), atol=1e-5)
    assert not torch.allclose(work.network(inputs), found.network(inputs), atol=1e-2)


def test_a_wrong_plan_fails_the_proof() -> None:
    work = pruner(Concat)
    found = work.prune(0.4)
    wrong = copy.deepcopy(found.network)
    with torch.no_grad():
        wrong.out[0][0].weight.copy_(wrong.out[0][0].weight.flip(1))
    with pytest.raises(PointKDError, match='misreads an operation'):
        check_equal(work.network, wrong, work.graph, found.plan, work.graph.make_input(32, 32, 0))


def test_the_least_important_channels_go() -> None:
    work = pruner(Chain)
    scales = work.network.first[1].weight.detach().abs().numpy()
    plan = work.plan(0.5)
    assert plan.layers['first.0'].outputs == tuple(np.sort(np.argsort(-scales)[:8]).tolist())
    assert plan.layers['first.0'].outputs == plan.layers['first.1'].outputs == plan.layers['second.0'].inputs


def test_widths_are_a_multiple_and_outputs_stay() -> None:
    work = pruner(Split, multiple=8, scope='global')
    plan = work.plan(0.5)
    assert plan.layers
    for layer in plan.layers.values():
        cut = [kept for kept, whole in zip(layer.kept, layer.dense, strict=True) if kept != whole]
        assert all(width % 8 == 0 for width in cut)
    assert plan.layers['out.1'].outputs == tuple(range(5))


def test_a_ratio_of_nothing_changes_nothing() -> None:
    assert pruner(Chain).plan(0.0) == Plan({}, {})
    with pytest.raises(ConfigError, match='nothing would be cut'):
        pruner(Chain).prune(0.0)


@pytest.mark.parametrize(
    ('ratio', 'words'),
    [(1.0, 'below 1'), (-0.1, 'at least 0'), (float('nan'), 'at least 0'), (0.97, 'would empty first.0')],
)
def test_a_ratio_that_leaves_nothing_is_refused(ratio: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        pruner(Chain).prune(ratio)


def test_a_global_threshold_never_empties_a_layer() -> None:
    work = pruner(Chain, scope='global')
    with torch.no_grad():
        work.network.first[1].weight.fill_(1e-3)
    with pytest.raises(ConfigError, match='would empty first'):
        work.prune(0.5)
    assert 0 < work.highest() < 0.5
    narrowest = work.prune(work.highest()).plan
    assert len(narrowest.layers['first.0'].outputs) == 1
    assert 'second.1' not in narrowest.layers


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'taylor'"):
        pruner(Chain, importance='tailor')
    with pytest.raises(ConfigError, match='needs gradients'):
        pruner(Chain, importance='taylor').plan(0.5)
    with pytest.raises(ConfigError, match='scope'):
        pruner(Chain, scope='all').plan(0.5)
    with pytest.raises(ConfigError, match='nothing is left to prune'):
        pruner(Chain, keep=('first', 'second')).plan(0.5)
    with pytest.raises(ConfigError, match='Linear can not be pruned: no way is known'):
        Pruner(nn.Linear(3, 3))


def test_counts_meet_their_targets() -> None:
    work = pruner(Split, multiple=8)
    dense = work.costs.params(Plan()), work.costs.macs(Plan())
    params, macs = work.ratio_for_params(0.5 * dense[0]), work.ratio_for_macs(0.5 * dense[1])
    assert 0.25 * dense[0] < params.value <= 0.5 * dense[0]
    assert 0.25 * dense[1] < macs.value <= 0.5 * dense[1]
    assert work.costs.macs(work.plan(macs.ratio)) == macs.value
    with pytest.raises(ConfigError, match='nothing is to be pruned'):
        work.ratio_for_params(2 * dense[0])
    with pytest.raises(ConfigError, match='can not be reached'):
        work.ratio_for_macs(10)


def test_graphs_of_fixed_size_are_cut_too() -> None:
    network, graph = toy(Chain)
    fixed = TensorGraph(graph.run, graph.make_input, size=(200, 100))
    assert Pruner(network, PruneSettings(multiple=1), graph=fixed).prune(0.5).difference < 1e-5
