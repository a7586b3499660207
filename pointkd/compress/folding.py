"""Keeps what dead channels add: a channel with γ = 0 still emits act(β), a constant that the next layer's sum holds.

Cutting the channel loses the constant. Here it goes into the bias of the layer that took the channel, or into the
running mean of the batch norm behind that layer. This is exact for 1x1 kernels. A larger kernel with zero padding sees
fewer copies of the constant at the border: exact inside, and how far off at the border is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from pointkd.compress.graphs import TensorGraph
from pointkd.io.plan import Plan

STEADY = 1e-6  # a channel that moves less than this, in proportion where it exceeds 1, is a constant


@dataclass
class Folding:
    """What was folded.

    Attributes:
        channels: constants folded, by layer that took them.
        border: largest error of the layer's sum at the border of the map, for kernels above 1 with padding.
        left: layers whose constants could not be folded, with the reason.
    """

    channels: dict[str, int] = field(default_factory=dict)
    border: dict[str, float] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content as JSON holds it."""
        return {'channels': self.channels, 'border': self.border, 'left': self.left}


def fold_constants(
    dense: nn.Module, pruned: nn.Module, graph: TensorGraph, plan: Plan, inputs: list[Tensor]
) -> Folding:
    """Add the constants of cut channels to the layers that took them, in place.

    Args:
        dense: the whole network, in evaluation mode.
        pruned: the same, cut by the plan; gets the constants.
        graph: how both run.
        plan: what stays.
        inputs: two or more; a channel that is the same everywhere in all of them is a constant.

    Returns:
        What was folded.
    """
    watch = _Watch(dense, plan)
    with torch.no_grad(), watch:
        for entry in inputs:
            graph.outputs(dense, entry)
    result = Folding()
    for name, (low, high) in watch.ranges.items():
        steady = (high - low) <= STEADY * high.abs().clamp(min=1)
        constants = torch.where(steady, (low + high) / 2, 0)
        if not constants.any():
            continue
        layer, target = dense.get_submodule(name), pruned.get_submodule(name)
        reason = _obstacle(layer, target, watch.norms.get(name, []))
        if reason:
            result.left[name] = reason
            continue
        kept = torch.tensor(plan.layers[name].outputs)
        weight = layer.weight.detach().index_select(1, watch.dropped[name])
        total = (weight.flatten(2).sum(2) if weight.ndim > 2 else weight) @ constants
        _add(target, [pruned.get_submodule(norm) for norm in watch.norms.get(name, [])], total[kept])
        result.channels[name] = int(constants.count_nonzero())
        if isinstance(layer, nn.Conv2d) and any(layer.padding if not isinstance(layer.padding, str) else (1,)):
            result.border[name] = float((_border(layer, weight, constants) - total.reshape(-1, 1, 1)).abs().max())
    return result


class _Watch:
    """Sees, during forward passes, the range of every dropped channel, and the norms right behind layers."""

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        self.network = network
        self.ranges: dict[str, tuple[Tensor, Tensor]] = {}
        self.norms: dict[str, list[str]] = {}
        self.dropped: dict[str, Tensor] = {}
        for name, layer in plan.layers.items():
            goes = sorted(set(range(layer.dense[0])) - set(layer.inputs)) if len(layer.dense) == 2 else []
            if goes and not getattr(network.get_submodule(name), 'groups', 1) > 1:
                self.dropped[name] = torch.tensor(goes)
        self.outputs: dict[int, tuple[str, Tensor]] = {}
        self.handles: list[Any] = []

    def __enter__(self) -> _Watch:
        for name in self.dropped:
            self.handles.append(self.network.get_submodule(name).register_forward_hook(self._layer_hook(name)))
        for name, module in self.network.named_modules():
            if isinstance(module, _BatchNorm):
                self.handles.append(module.register_forward_pre_hook(self._norm_hook(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()
        self.outputs.clear()

    def _layer_hook(self, name: str) -> Any:
        """Return a hook that notes the range of a layer's dropped inputs, and its output."""

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            axis = -1 if isinstance(module, nn.Linear) else 1
            values = inputs[0].index_select(axis % inputs[0].ndim, self.dropped[name]).movedim(axis, 0).flatten(1)
            low, high = values.amin(1), values.amax(1)
            if name in self.ranges:
                low, high = torch.minimum(low, self.ranges[name][0]), torch.maximum(high, self.ranges[name][1])
            self.ranges[name] = (low, high)
            self.outputs[id(output)] = (name, output)  # the tensor is held, so that its id stays its own

        return note

    def _norm_hook(self, name: str) -> Any:
        """Return a hook that notes whose output a norm takes."""

        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            layer = self.outputs.get(id(inputs[0]))
            if layer is not None and name not in self.norms.setdefault(layer[0], []):
                self.norms[layer[0]].append(name)

        return note


def _obstacle(layer: nn.Module, target: nn.Module, norms: list[str]) -> str:
    """Return why a constant can't go into a layer, or ''."""
    if not isinstance(layer, nn.Conv2d | nn.Conv1d | nn.Linear):
        return f'a {type(layer).__name__} spreads a constant unevenly'
    return '' if norms or target.bias is not None else 'neither a bias nor a batch norm right behind it'


def _add(target: nn.Module, norms: list[nn.Module], total: Tensor) -> None:
    """Add a constant to a layer's output: behind it, in the running means of its norms, or in its own bias."""
    with torch.no_grad():
        if target.bias is not None:
            target.bias += total
        else:
            for norm in norms:
                norm.running_mean -= total


def _border(layer: nn.Conv2d, weight: Tensor, constants: Tensor) -> Tensor:
    """Return the sum of constants, (C_out, h, w), as a padded convolution really gives it on a small map."""
    reach = max((size - 1) * step + 1 for size, step in zip(layer.kernel_size, layer.dilation, strict=True))
    field = constants.reshape(1, -1, 1, 1).expand(1, -1, 3 * reach, 3 * reach)
    return functional.conv2d(field, weight, None, 1, layer.padding, layer.dilation)[0]
