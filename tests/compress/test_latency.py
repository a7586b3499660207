"""Networks in ONNX Runtime: the same outputs, times in turns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.prunable import Chain, Flattened, SharedHead, Split, toy
from torch import nn
from torch.nn import functional

from pointkd.compress.latency import Latency, OnnxNetwork, measure_in_turns
from pointkd.compress.pruning import Pruner, PruneSettings
from pointkd.compress.run import _check_faster
from pointkd.core.errors import ConfigError


@pytest.mark.parametrize('kind', [Split, SharedHead, Flattened])
def test_the_exported_network_gives_the_same_maps(kind: type[nn.Module]) -> None:
    network, graph = toy(kind)
    network = Pruner(network, PruneSettings(multiple=1), graph=graph).prune(0.4).network
    inputs = graph.make_input(32, 48, 7)
    exported = OnnxNetwork(network, graph, (32, 48)).run(inputs.numpy())
    with torch.no_grad():
        ours = graph.outputs(network, inputs)
    assert len(exported) == len(ours)
    for mine, theirs in zip(exported, ours, strict=True):
        assert np.allclose(mine, theirs.numpy(), atol=1e-4)


class Uneven(Chain):
    """A chain that pools into cells of different sizes, which ONNX can't."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.out(functional.adaptive_avg_pool2d(self.second(self.first(inputs)), (3, None)))


def test_uneven_pooling_is_exact() -> None:
    network, graph = toy(Uneven)
    own = functional.adaptive_avg_pool2d
    exported = OnnxNetwork(network, graph, (32, 50))
    assert functional.adaptive_avg_pool2d is own
    with torch.no_grad():
        reference = network(torch.from_numpy(exported.inputs))
    assert np.allclose(exported.run()[0], reference.numpy(), atol=1e-5)


def test_times_are_taken_in_turns() -> None:
    order = []

    class Fake(OnnxNetwork):
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, inputs: object = None) -> list:
            order.append(self.name)
            return []

    found = measure_in_turns([Fake('a'), Fake('b')], runs=3)
    assert ''.join(order) == 'ab' * 5
    assert [latency.runs for latency in found] == [3, 3]
    assert all(latency.p10_ms <= latency.median_ms <= latency.p90_ms for latency in found)


def test_a_latency_is_reached_by_measuring() -> None:
    """The search builds and times networks; here a network takes as many microseconds as it has parameters."""
    network, graph = toy(Split)
    pruner = Pruner(network, PruneSettings(multiple=1), graph=graph)

    def milliseconds(candidate: nn.Module) -> float:
        return sum(value.numel() for value in candidate.parameters()) / 1e3

    dense = milliseconds(network)
    found = pruner.ratio_for_latency(milliseconds, dense, 0.4 * dense)
    assert found.value == pytest.approx(0.4 * dense, rel=0.1)
    assert milliseconds(pruner.prune(found.ratio).network) == found.value


def test_a_network_that_is_not_faster_is_refused() -> None:
    dense, pruned = Latency(4.0, 3.9, 4.2, 9), Latency(4.1, 4.0, 4.3, 9)
    _check_faster(pruned, dense)
    with pytest.raises(ConfigError, match='refused, since it is not faster'):
        _check_faster(dense, pruned)
