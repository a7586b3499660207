"""Importance of channels, by hand and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.prunable import Chain, Residual, Split, Transposed, toy
from torch import nn

from pointkd.compress.coupling import ChannelGroup, couple
from pointkd.compress.graphs import TensorGraph
from pointkd.compress.importance import has_scales, importance, scale_names, task_gradients
from pointkd.core.errors import ConfigError


def first_group(kind: type[nn.Module]) -> tuple[nn.Module, TensorGraph, ChannelGroup]:
    """Return a toy net and the group of its stem."""
    network, graph = toy(kind)
    return network, graph, couple(network, graph).groups[0]


def test_bn_is_the_mean_scale_of_the_group() -> None:
    network, _, group = first_group(Residual)
    norms = [network.first[1], network.second[0][1][1], network.second[1][1][1]]
    mean = torch.stack([norm.weight.abs() for norm in norms]).mean(0).detach().double().numpy()
    assert importance(group, network, 'bn') == pytest.approx(mean)


def test_norms_of_filters() -> None:
    network, _, group = first_group(Chain)
    weight = network.first[0].weight.detach().double()
    assert importance(group, network, 'l1') == pytest.approx(weight.abs().sum((1, 2, 3)).numpy())
    assert importance(group, network, 'l2') == pytest.approx(weight.square().sum((1, 2, 3)).sqrt().numpy())


def test_a_transposed_layer_has_its_filters_in_the_second_axis() -> None:
    network, graph = toy(Transposed)
    (group,) = [group for group in couple(network, graph).groups if 'second.0' in group.name.split(' + ')]
    weight = network.second[0].weight.detach().double()
    assert importance(group, network, 'l1') == pytest.approx(weight.abs().sum((0, 2, 3)).numpy())


def test_without_a_norm_bn_falls_back_to_filters() -> None:
    network, graph = toy(Chain)
    network.first[1] = nn.Identity()
    group = couple(network, graph).groups[0]
    assert not has_scales(group, network)
    assert importance(group, network, 'bn') == pytest.approx(importance(group, network, 'l2'))


def test_taylor_is_the_slope_towards_a_vanished_channel() -> None:
    network, graph, group = first_group(Chain)
    network.double()
    inputs = graph.make_input(8, 8, 0).double()

    def loss(_: int) -> torch.Tensor:
        return network(inputs).square().mean()

    network.first[0].weight.requires_grad_(False)
    scores = importance(group, network, 'taylor', gradients=task_gradients(network, loss, 2))
    assert not network.first[0].weight.requires_grad
    assert all(value.grad is None for value in network.parameters())
    for channel in (0, 7):
        parts = [_slope(network, loss, layer, channel) for layer in network.first if hasattr(layer, 'weight')]
        assert scores[channel] == pytest.approx(sum(map(abs, parts)), rel=1e-4)


def _slope(network: nn.Module, loss: object, layer: nn.Module, channel: int) -> float:
    """Return the change of the loss per relative change of one channel's parameters in one layer."""
    values, step = [], 1e-5
    for factor in (1 + step, 1 - step):
        with torch.no_grad():
            copies = [value.clone() for value in layer.parameters()]
            for value in layer.parameters():
                value[channel] *= factor
            values.append(float(loss(0)))
            for value, own in zip(layer.parameters(), copies, strict=True):
                value.copy_(own)
    return (values[0] - values[1]) / (2 * step)


def test_random_depends_on_seed_and_group_alone() -> None:
    network, graph = toy(Split)
    one = couple(network, graph).prunable()[0]
    assert np.array_equal(importance(one, network, 'random', seed=3), importance(one, network, 'random', seed=3))
    assert not np.array_equal(importance(one, network, 'random', seed=3), importance(one, network, 'random', seed=4))
    inner = couple(network, graph).prunable()[2:4]
    draws = [importance(group, network, 'random', seed=3) for group in inner]
    assert not np.array_equal(*draws)


def test_scales_of_all_prunable_layers_are_found() -> None:
    network, graph = toy(Chain)
    assert scale_names(couple(network, graph).prunable(), network) == ['first.1', 'second.1']


def test_an_unknown_kind_is_refused() -> None:
    network, _, group = first_group(Chain)
    with pytest.raises(ConfigError, match='choose one of: bn, l1'):
        importance(group, network, 'zzz')
