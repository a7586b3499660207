"""The proof that a cut network is the dense one with some activations at zero."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pointkd.compress.graphs import TensorGraph
from pointkd.core.errors import PointKDError
from pointkd.io.plan import Plan

TOLERANCE = 1e-4


@contextmanager
def dropped_at_zero(network: nn.Module, plan: Plan) -> Iterator[None]:
    """Let every layer of a dense network see zeros in place of the channels that a plan drops, inside the block.

    Args:
        network: the dense one.
        plan: made for it.
    """
    handles = []
    for name, layer in plan.layers.items():
        if len(layer.dense) == 2 and len(layer.inputs) < layer.dense[0]:
            handles.append(network.get_submodule(name).register_forward_pre_hook(_mask(network, name, plan)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def largest_difference(dense: nn.Module, pruned: nn.Module, graph: TensorGraph, plan: Plan, inputs: Tensor) -> float:
    """Return how far a cut network is from the dense one with the dropped channels at zero.

    Args:
        dense: in evaluation mode.
        pruned: the same, cut.
        graph: how both run.
        plan: what stays.
        inputs: for the graph.

    Returns:
        Largest difference over all raw maps; in proportion where values exceed 1.
    """
    with torch.no_grad():
        ours = graph.outputs(pruned.eval(), inputs)
        with dropped_at_zero(dense.eval(), plan):
            reference = graph.outputs(dense, inputs)
    worst = 0.0
    for mine, theirs in zip(ours, reference, strict=True):
        if mine.shape != theirs.shape:
            raise PointKDError(
                f'the pruned network gives a map of {tuple(mine.shape)}, the dense {tuple(theirs.shape)}'
            )
        worst = max(worst, float(((mine - theirs).abs() / theirs.abs().clamp(min=1)).max()))
    return worst


def check_equal(dense: nn.Module, pruned: nn.Module, graph: TensorGraph, plan: Plan, inputs: Tensor) -> float:
    """Return `largest_difference`, or raise where it is above the tolerance.

    Raises:
        PointKDError: channels were coupled wrongly; the network has an operation that the dependency graph misreads.
    """
    difference = largest_difference(dense, pruned, graph, plan, inputs)
    if not difference <= TOLERANCE:
        raise PointKDError(
            f'the pruned network differs from the dense one with its dropped channels at zero by {difference:.2g}: the '
            'dependency graph misreads an operation of this network; keep the module around it whole with --keep'
        )
    return difference


def _mask(network: nn.Module, name: str, plan: Plan) -> Any:
    """Return a hook that sets the dropped input channels of a layer to zero."""
    layer = plan.layers[name]
    axis = -1 if isinstance(network.get_submodule(name), nn.Linear) else 1
    stays = torch.zeros(layer.dense[0])
    stays[list(layer.inputs)] = 1

    def mask(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        first = inputs[0]
        shape = [1] * first.ndim
        shape[axis] = -1
        return (first * stays.to(first).reshape(shape), *inputs[1:])

    return mask
