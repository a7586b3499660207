"""Which channels go together: a net of each topology, and what can't be pruned."""

from __future__ import annotations

import pytest
import torch
from helpers.prunable import Chain, Concat, Conv, Depthwise, Flattened, Residual, SharedHead, Split, toy
from torch import nn

from pointkd.compress.coupling import INPUTS, OUTPUT_REASON, OUTPUTS, ChannelGroup, couple
from pointkd.core.errors import ConfigError


def groups(kind: type[nn.Module], **settings: object) -> list[ChannelGroup]:
    """Return the groups of a toy net that may be cut."""
    return couple(*toy(kind, **settings)).prunable()


def with_output(found: list[ChannelGroup], layer: str) -> list[ChannelGroup]:
    """Return the groups that a layer produces channels of."""
    return [group for group in found if layer in group.layers(OUTPUTS)]


def test_a_residual_sum_couples_all_its_terms() -> None:
    (stem,) = with_output(groups(Residual), 'first.0')
    assert {'first.0', 'second.0.1.0', 'second.1.1.0'} <= set(stem.layers(OUTPUTS))
    assert set(stem.layers(INPUTS)) == {'second.0.0.0', 'second.1.0.0', 'out'}


def test_a_concatenation_shifts_and_repeats_indices() -> None:
    found = groups(Concat)
    (left,) = with_output(found, 'second.0')
    (stem,) = with_output(found, 'first.0')
    assert left.members['out.0.0', INPUTS].tolist() == [[index, index + 48] for index in range(24)]
    assert stem.members['out.0.0', INPUTS].tolist() == [[index] for index in range(24, 40)]


def test_the_halves_of_a_split_are_two_groups() -> None:
    passed, chained = with_output(groups(Split), 'first.0')
    assert passed.members['first.0', OUTPUTS].ravel().tolist() == list(range(24))
    assert passed.layers(INPUTS) == ['out.0.0']
    assert chained.members['first.0', OUTPUTS].ravel().tolist() == list(range(24, 48))
    assert {'second.0.1.0', 'second.1.1.0'} <= set(chained.layers(OUTPUTS))
    assert chained.members['out.0.0', INPUTS].tolist() == [[24 + i, 48 + i, 72 + i] for i in range(24)]


def test_without_shortcuts_the_chain_is_free() -> None:
    _, chained = with_output(groups(Split, shortcut=False), 'first.0')
    assert chained.layers(OUTPUTS) == ['first.0', 'first.1']


def test_a_depthwise_layer_passes_channels_on() -> None:
    (stem,) = with_output(groups(Depthwise), 'first.0')
    assert stem.layers(OUTPUTS)[-2:] == ['second.0.0', 'second.0.1']
    assert stem.layers(INPUTS) == ['second.1.0']


def test_a_shared_head_couples_its_levels() -> None:
    (levels,) = with_output(groups(SharedHead), 'second.0')
    assert 'third.0' in levels.layers(OUTPUTS)
    assert set(levels.layers(INPUTS)) == {'third.0', 'boxes.0.0', 'classes.0.0'}


def test_a_flattened_map_gives_nine_inputs_a_channel() -> None:
    (last,) = with_output(groups(Flattened), 'second.0')
    assert last.members['out.0', INPUTS][1].tolist() == list(range(9, 18))


def test_outputs_stay() -> None:
    fixed = [group for group in couple(*toy(SharedHead)).groups if group.fixed]
    assert sorted(group.name for group in fixed) == ['boxes.1', 'classes.1']
    assert {group.fixed for group in fixed} == {OUTPUT_REASON}


class Leaky(Chain):
    """A chain whose hidden map is an output too."""

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        hidden = self.second(self.first(inputs))
        return [hidden, self.out(hidden)]


def test_a_hidden_map_that_is_an_output_stays() -> None:
    assert with_output(groups(Leaky), 'second.0') == []
    assert len(with_output(groups(Leaky), 'first.0')) == 1


def test_kept_modules_keep_what_is_coupled_to_them() -> None:
    network, graph = toy(Residual)
    found = couple(network, graph, ['second.0.1'])
    assert with_output(found.prunable(), 'first.0') == []
    assert len(found.prunable()) == 2
    with pytest.raises(ConfigError, match=r"no module 'secnd': did you mean 'second'"):
        couple(network, graph, ['secnd'])


class Grouped(Chain):
    """A chain with a group norm, which no plan can cut."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(nn.GroupNorm(4, 16), Conv(16, 24))


def test_an_unprunable_module_is_named() -> None:
    network, graph = toy(Grouped)
    with pytest.raises(ConfigError, match=r'second\.0: a GroupNorm can not be pruned.*--keep'):
        couple(network, graph)
    found = couple(network, graph, ['second.0'])
    assert with_output(found.prunable(), 'first.0') == []
    assert len(with_output(found.prunable(), 'second.1.0')) == 1


class Bare(Chain):
    """A chain with a bare parameter added to a map."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(1, 16, 1, 1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.out(self.second(self.first(inputs) + self.shift))


def test_a_bare_parameter_holds_its_channels() -> None:
    network, graph = toy(Bare)
    with pytest.raises(ConfigError, match='a Bare can not be pruned'):
        couple(network, graph)


class Unused(Chain):
    """A chain with a fixed parameter that only the choice of boxes reads."""

    def __init__(self) -> None:
        super().__init__()
        self.bins = nn.Parameter(torch.arange(16.0), requires_grad=False)


def test_a_parameter_outside_the_graph_is_nobodys_obstacle() -> None:
    assert len(couple(*toy(Unused)).prunable()) == 2


def test_the_network_is_left_as_it_is() -> None:
    network, graph = toy(Split)
    network.first[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    couple(network, graph)
    assert list(network.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.first[0].weight.requires_grad
