"""Parameters and multiply-adds of a network under a plan, without building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd

from pointkd.compress.coupling import within
from pointkd.compress.graphs import TensorGraph
from pointkd.io.plan import Plan, channels_of, is_depthwise


@dataclass(frozen=True)
class LayerCost:
    """One layer, dense.

    Attributes:
        channels: (in, out), or (channels,) of a norm.
        kernel: numbers of a weight between one input and one output channel; 0 for a norm.
        extra: further trained numbers an output channel (bias; scale and shift of a norm).
        positions: how often a weight is multiplied for one input.
        depthwise: one filter a channel.
    """

    channels: tuple[int, ...]
    kernel: int
    extra: int
    positions: int
    depthwise: bool

    def params(self, channels: tuple[int, ...]) -> int:
        """Return the trained numbers with so many channels."""
        return self._weights(channels) + self.extra * channels[-1]

    def macs(self, channels: tuple[int, ...]) -> int:
        """Return the multiply-adds for one input with so many channels."""
        return self._weights(channels) * self.positions

    def _weights(self, channels: tuple[int, ...]) -> int:
        """Return the numbers of the weight."""
        return self.kernel * channels[-1] * (1 if self.depthwise or len(channels) == 1 else channels[0])


@dataclass(frozen=True)
class Costs:
    """Costs of a dense network, layer by layer.

    Attributes:
        layers: by dotted name: the layers that a plan may cut.
        other_params: trained numbers of everything else.
        size: height, width of the input that multiply-adds are counted for.
    """

    layers: Mapping[str, LayerCost]
    other_params: int
    size: tuple[int, int]

    def params(self, plan: Plan) -> int:
        """Return the trained numbers of the network under a plan."""
        return self.other_params + sum(cost.params(self.widths(name, plan)) for name, cost in self.layers.items())

    def macs(self, plan: Plan) -> int:
        """Return the multiply-adds of convolutions and linear layers for one input under a plan."""
        return sum(cost.macs(self.widths(name, plan)) for name, cost in self.layers.items())

    def widths(self, name: str, plan: Plan) -> tuple[int, ...]:
        """Return the channels of a layer under a plan."""
        layer = plan.layers.get(name)
        return self.layers[name].channels if layer is None else layer.kept


def measure_costs(network: nn.Module, graph: TensorGraph, size: tuple[int, int]) -> Costs:
    """Count a dense network by one forward pass.

    Args:
        network: in evaluation mode.
        graph: how it runs on tensors.
        size: height, width of the input, where the network does not fix it.
    """
    layers = {name: module for name, module in network.named_modules() if channels_of(module) is not None}
    positions = dict.fromkeys(layers, 0)
    handles = [module.register_forward_hook(_counter(positions, name, module)) for name, module in layers.items()]
    size = graph.size or size
    try:
        with torch.no_grad():
            graph.outputs(network, graph.make_input(*size, 0))
    finally:
        for handle in handles:
            handle.remove()
    for name in positions:
        positions[name] *= next((times for part, times in graph.repeats.items() if within(name, [part])), 1)
    costs = {name: _layer_cost(module, positions[name]) for name, module in layers.items()}
    cuttable = sum(cost.params(cost.channels) for cost in costs.values())
    return Costs(costs, sum(parameter.numel() for parameter in network.parameters()) - cuttable, size)


def _counter(positions: dict[str, int], name: str, module: nn.Module) -> Any:
    """Return a hook that adds up the positions at which a layer's weight is used."""

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen = inputs[0] if isinstance(module, _ConvTransposeNd) else output
        width = module.in_channels if isinstance(module, _ConvTransposeNd) else channels_of(module)[-1]  # type: ignore[index]
        positions[name] += seen.numel() // width

    return count


def _layer_cost(module: nn.Module, positions: int) -> LayerCost:
    """Return the cost of one dense layer."""
    channels = channels_of(module)
    assert channels is not None  # the caller chose such layers
    if isinstance(module, _BatchNorm):
        return LayerCost(channels, 0, 2 * (module.weight is not None), 0, False)
    kernel = module.weight[0, 0].numel()
    return LayerCost(channels, kernel, int(module.bias is not None), positions, is_depthwise(module))
