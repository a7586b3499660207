"""Constants of dead channels: exact for 1x1 readers, exact inside and bounded at the border for larger kernels."""

from __future__ import annotations

import pytest
import torch
from helpers.prunable import Chain, Concat, Flattened, Transposed, toy
from torch import Tensor, nn

from pointkd.compress.folding import Folding
from pointkd.compress.pruning import Pruned, Pruner, PruneSettings


def folded(kind: type[nn.Module], dead: str, **settings: object) -> tuple[Pruner, Pruned, Tensor, Tensor]:
    """Kill half of a layer's channels, cut exactly these, fold; return both nets' outputs on one image."""
    network, graph = toy(kind, **settings)
    with torch.no_grad():
        norm = network.get_submodule(dead)
        norm.weight[::2] = 0
        norm.bias[::2] = 1.5
    kept = tuple(name for name in ('first', 'second', 'third') if hasattr(network, name) and not dead.startswith(name))
    work = Pruner(network, PruneSettings(multiple=1, fold=True, keep=kept), (32, 32), graph=graph)
    groups = work.coupling.prunable()
    others = {
        layer for group in groups for layer in group.layers('outputs') if not layer.startswith(dead.split('.')[0])
    }
    work = Pruner(network, PruneSettings(multiple=1, fold=True, keep=(*kept, *others)), (32, 32), graph=graph)
    found = work.prune(0.5)
    inputs = graph.make_input(24, 24, 5)
    with torch.no_grad():
        return work, found, network(inputs), found.network(inputs)


def record(found: Pruned) -> Folding:
    """Return what was folded."""
    assert found.folding is not None
    return found.folding


def test_exact_for_a_pointwise_reader_with_a_norm() -> None:
    _, found, dense, pruned = folded(Chain, 'first.1', kernel=1)
    assert record(found).channels == {'second.0': 8}
    assert record(found).border == {}
    assert torch.allclose(dense, pruned, atol=1e-5)


def test_exact_for_a_reader_with_a_bias() -> None:
    _, found, dense, pruned = folded(Chain, 'second.1')
    assert record(found).channels == {'out': 12}
    assert torch.allclose(dense, pruned, atol=1e-5)


def test_exact_inside_and_reported_at_the_border() -> None:
    _, found, dense, pruned = folded(Chain, 'first.1')
    assert torch.allclose(dense[..., 1:-1, 1:-1], pruned[..., 1:-1, 1:-1], atol=1e-5)
    assert not torch.allclose(dense, pruned, atol=1e-2)
    assert record(found).border['second.0'] > 1e-2


def test_the_border_is_the_largest_error_of_the_sum() -> None:
    work, found, _, _ = folded(Chain, 'first.1')
    sums = []
    for network in (work.network, found.network):
        network.second[0].register_forward_hook(lambda module, inputs, output: sums.append(output))
        with torch.no_grad():
            network(work.graph.make_input(24, 24, 5))
    norms = [network.second[1].running_mean for network in (work.network, found.network)]
    apart = (sums[0] - norms[0].reshape(1, -1, 1, 1)) - (sums[1] - norms[1].reshape(1, -1, 1, 1))
    assert record(found).border['second.0'] == pytest.approx(float(apart.abs().max()), rel=1e-3)


def test_copies_of_a_channel_are_all_folded() -> None:
    _, found, dense, pruned = folded(Concat, 'second.1')
    assert record(found).channels == {'out.0.0': 24}
    assert torch.allclose(dense, pruned, atol=1e-5)


def test_exact_through_a_flattened_map() -> None:
    _, found, dense, pruned = folded(Flattened, 'second.1')
    assert record(found).channels == {'out.0': 12 * 9}
    assert torch.allclose(dense, pruned, atol=1e-5)


def test_a_transposed_reader_is_named_as_left() -> None:
    _, found, _, _ = folded(Transposed, 'first.1')
    assert record(found).channels == {}
    assert 'unevenly' in record(found).left['second.0']


def test_channels_that_live_are_not_folded() -> None:
    network, graph = toy(Chain)
    found = Pruner(network, PruneSettings(multiple=1, fold=True), graph=graph).prune(0.5)
    assert record(found) == Folding()
