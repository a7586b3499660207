"""How much each channel of a group matters, by criteria that need weights only, or gradients of the task loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd

from pointkd.compress.coupling import OUTPUTS, ChannelGroup
from pointkd.core.errors import ConfigError, nearest

Gradients = Mapping[str, Tensor]  # of the task loss, by name of the parameter


def importance(
    group: ChannelGroup, network: nn.Module, kind: str, *, gradients: Gradients | None = None, seed: int = 0
) -> np.ndarray:
    """Return how much each channel of a group matters; the least important ones go first.

    Kinds:
        - `bn`: mean of |γ| over the group's batch norms (network slimming); a group without one is ranked by `l2`;
        - `l1`, `l2`: norm of the filters that produce the channel, mean over the producing layers;
        - `taylor`: |Σ w ∂L/∂w| over the parameters that produce the channel, summed over the layers: the first-order
          change of the loss when the channel vanishes;
        - `random`: the control.

    Args:
        group: of coupled channels.
        network: that the group is of.
        kind: one of the above.
        gradients: for `taylor`.
        seed: for `random`; two groups draw different numbers.

    Returns:
        (C,) float64, not negative.

    Raises:
        ConfigError: an unknown kind, or `taylor` without gradients.
    """
    if kind not in CRITERIA:
        raise ConfigError(f'importance {kind!r}: {nearest(kind, CRITERIA)}')
    if kind == 'random':
        return np.random.default_rng([seed, crc32(group.name.encode())]).uniform(size=group.channels)
    if kind == 'taylor':
        if gradients is None:
            raise ConfigError('importance taylor: needs gradients of the task loss, and there are none')
        return np.sum([_taylor(layer, network, rows, gradients) for layer, rows in _producers(group)], axis=0)
    if kind == 'bn':
        norms = [(layer, rows) for layer, rows in _producers(group) if _is_norm(network.get_submodule(layer))]
        if norms:
            return np.mean([_scales(network.get_submodule(layer))[rows].mean(1) for layer, rows in norms], axis=0)
        kind = 'l2'
    filters = [(layer, rows) for layer, rows in _producers(group) if not _is_norm(network.get_submodule(layer))]
    order = 1 if kind == 'l1' else 2
    return np.mean([_norms(network.get_submodule(layer), order)[rows].mean(1) for layer, rows in filters], axis=0)


def has_scales(group: ChannelGroup, network: nn.Module) -> bool:
    """Return whether a batch norm with a scale stands in a group."""
    return any(_is_norm(network.get_submodule(layer)) for layer, _ in _producers(group))


def scale_names(groups: list[ChannelGroup], network: nn.Module) -> list[str]:
    """Return the names of the batch norms whose scales say which channels of these groups matter, sorted."""
    layers = {layer for group in groups for layer, _ in _producers(group)}
    return sorted(layer for layer in layers if _is_norm(network.get_submodule(layer)))


def task_gradients(network: nn.Module, losses: Callable[[int], Tensor], batches: int) -> dict[str, Tensor]:
    """Return the mean gradients of a task loss, by name of the parameter; the network's own are left empty.

    Args:
        network: in evaluation mode; the running statistics don't move then.
        losses: gives the loss of the n-th batch.
        batches: how many.
    """
    frozen = [parameter for parameter in network.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    network.zero_grad(set_to_none=True)
    for number in range(batches):
        (losses(number) / batches).backward()
    found = {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}
    network.zero_grad(set_to_none=True)
    for parameter in frozen:
        parameter.requires_grad_(False)
    return found


CRITERIA = ('bn', 'l1', 'l2', 'taylor', 'random')


def _producers(group: ChannelGroup) -> list[tuple[str, np.ndarray]]:
    """Return the layers that produce a group's channels, with the places (C, k) of the channels in them."""
    return [(layer, rows) for (layer, side), rows in group.members.items() if side == OUTPUTS]


def _is_norm(module: nn.Module) -> bool:
    """Return whether a module is a batch norm with scales."""
    return isinstance(module, _BatchNorm) and module.weight is not None


def _scales(norm: nn.Module) -> np.ndarray:
    """Return |γ| of a batch norm, (C,)."""
    return norm.weight.detach().abs().double().cpu().numpy()  # type: ignore[no-any-return]


def _rows(module: nn.Module, values: Tensor) -> Tensor:
    """Return values shaped as a layer's weight with one row an output channel, (C_out, rest) float64."""
    transposed = isinstance(module, _ConvTransposeNd)
    return (values.transpose(0, 1) if transposed else values).detach().double().cpu().flatten(1)


def _norms(module: nn.Module, order: int) -> np.ndarray:
    """Return the norm of each filter, (C_out,)."""
    if module.weight is None:
        return np.ones(module.num_features)
    return torch.linalg.vector_norm(_rows(module, module.weight), ord=order, dim=1).numpy()  # type: ignore[no-any-return]


def _taylor(layer: str, network: nn.Module, rows: np.ndarray, gradients: Gradients) -> np.ndarray:
    """Return |Σ w ∂L/∂w| of the channels of one layer, (C,)."""
    module = network.get_submodule(layer)
    total: np.ndarray | None = None
    for name, value in module.named_parameters(recurse=False):
        gradient = gradients.get(f'{layer}.{name}')
        if gradient is None:
            continue
        product = value.detach() * gradient
        part = product.double().cpu() if product.ndim == 1 else _rows(module, product).sum(1)
        total = part.numpy() if total is None else total + part.numpy()
    return np.zeros(len(rows)) if total is None else np.abs(total[rows].sum(1))
