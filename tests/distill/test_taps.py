"""Tap grammar and recording."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pointkd.core.errors import ConfigError, TrainingError
from pointkd.distill.taps import Tap, record, tapped_module


class Net(nn.Module):
    """Two blocks, a head that is used on two levels, one unused layer and an in-place activation."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.activation = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 2)
        self.unused = nn.Linear(4, 4)

    def forward(self, x):
        first = self.blocks[0](x)
        second = self.activation(self.blocks[1](first))
        return {'levels': [self.head(first), self.head(second)], 'feature': second}


@pytest.mark.parametrize(
    ('text', 'tap'),
    [
        ('neck', Tap('neck')),
        ('neck[0]', Tap('neck', index=(0,))),
        ('backbone.blocks.1', Tap('backbone.blocks.1')),
        ('voxel_encoder:in', Tap('voxel_encoder', 'in')),
        ('backbone[fp_features][-1]', Tap('backbone', index=('fp_features', -1))),
        ('head:in[2]', Tap('head', 'in', (2,))),
    ],
)
def test_parse_and_print_round_trip(text, tap):
    assert Tap.parse(text, 'here') == tap
    assert str(tap) == text


@pytest.mark.parametrize('text', ['', 'a..b', 'neck[', 'neck:up', '[0]', 'neck[0].x', 3, None])
def test_parse_refuses(text):
    with pytest.raises(ConfigError, match=r'distill\.methods\[0\]\.student'):
        Tap.parse(text, 'distill.methods[0].student')


def test_record_takes_outputs_inputs_and_calls_in_order():
    net, x = Net(), torch.randn(3, 4)
    taps = [Tap.parse(text, '') for text in ('blocks.0', 'blocks.1:in', 'head[0]', 'head[1]')]
    with record(net, taps, 'student') as recording:
        out = net(x)
    values = [recording.take(tap)[0] for tap in taps]
    assert torch.equal(values[0], net.blocks[0](x))
    assert values[1] is values[0]
    assert torch.equal(values[2], out['levels'][0])
    assert torch.equal(values[3], out['levels'][1])
    assert recording.counts() == {'blocks.0': 1, 'blocks.1': 1, 'head': 2}
    assert not any('forward' in vars(module) for module in net.modules())


def test_nothing_is_left_after_an_error():
    net = Net()
    with pytest.raises(RuntimeError), record(net, [Tap('head')], 'student'):
        net(torch.randn(3, 5))
    assert not any('forward' in vars(module) for module in net.modules())


def test_a_tap_that_did_not_fire_is_an_error():
    net, tap = Net(), Tap('unused')
    with record(net, [tap], 'student') as recording:
        net(torch.randn(1, 4))
    with pytest.raises(TrainingError, match='student tap unused: the module did not run'):
        recording.take(tap)


def test_change_in_place_after_the_tap_is_an_error():
    net, tap = Net(), Tap('blocks.1')
    with record(net, [tap], 'student') as recording:
        net(torch.randn(1, 4))
    with pytest.raises(TrainingError, match='in place'):
        recording.take(tap)


def test_index_that_names_nothing_lists_what_there_is():
    net = Net()
    with record(net, [Tap('head'), Tap('blocks.0')], 'teacher') as recording:
        net(torch.randn(1, 4))
    with pytest.raises(ConfigError, match=r'teacher tap head\[5\].*a list of 2'):
        recording.take(Tap('head', index=(5,)))
    for entry in ('x', 0):
        with pytest.raises(ConfigError, match=r'a Tensor'):
            recording.take(Tap('blocks.0', index=(entry,)))


def test_misspelt_module_names_the_nearest():
    with pytest.raises(ConfigError, match=r"did you mean 'blocks\.1'"):
        tapped_module(Net(), Tap('blokcs.1'), 'distill.methods[0].student')


def test_forward_stops_behind_the_last_tap():
    net = Net()
    net.unused = nn.Identity()
    ran = []
    net.activation.register_forward_hook(lambda *_: ran.append(True))
    with record(net, [Tap('blocks.0')], 'teacher', {'blocks.0': 1}) as recording:
        net(torch.randn(1, 4))
    assert recording.counts() == {'blocks.0': 1}
    assert not ran
    with record(net, [Tap('head')], 'teacher', {'head': 2}) as recording:
        net(torch.randn(1, 4))
    assert recording.counts() == {'head': 2}


def test_a_forward_that_is_called_directly_is_seen_and_options_arrive():
    class Direct(nn.Module):
        """Calls its part's `forward` instead of the part, as mmdet3d does with heads."""

        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Upsample(scale_factor=2)

        def forward(self, x):
            return self.part.forward(input=x)

    net = Direct()
    with record(net, [Tap('part')], 'student') as recording:
        out = net(torch.ones(1, 1, 2, 2))
    assert recording.take(Tap('part'))[0] is out


def test_a_forward_of_the_object_itself_is_put_back():
    net = Net()
    vars(net.head)['forward'] = own = lambda x: x
    with record(net, [Tap('head')], 'student'):
        net(torch.randn(1, 4))
    assert net.head.forward is own
