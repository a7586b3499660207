"""Channel provenance is seen through everything that keeps channels apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from pointkd.distill.methods._provenance import trace


class Net(nn.Module):
    """Layers put together by a function of the test."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.together = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.together(self, x)


def sources(net, x, path):
    """What arrives at a layer, as (layer, channel) or a sorted list of several."""
    arriving = trace(net, lambda network: network(x)).layers[path].sources
    return [sorted(channels) for channels in arriving]


def of(name, channels):
    return [[(name, channel)] for channel in channels]


IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CONV = dict(a=nn.Conv2d(3, 4, 3, padding=1), b=nn.Conv2d(3, 4, 3, padding=1), norm=nn.BatchNorm2d(4))


EACH = of('a', range(4))
TIED = [[('a', k), ('b', k)] for k in range(4)]


def beside_its_maximum(n, x):
    y = n.a(x)
    return torch.cat([y, y.amax(3, keepdim=True).expand_as(y)], 1)


@pytest.mark.parametrize(
    ('transform', 'expected'),
    [
        pytest.param(lambda n, x: n.norm(n.a(x)).relu_(), EACH, id='norm, ReLU in place'),
        pytest.param(lambda n, x: functional.max_pool2d(n.a(x), 2), EACH, id='pooling'),
        pytest.param(lambda n, x: functional.interpolate(n.a(x), scale_factor=2, mode='bilinear'), EACH, id='bilinear'),
        pytest.param(
            lambda n, x: torch.cat([n.b(x), x, n.a(x)], 1), [*of('b', range(4)), [], [], [], *EACH], id='concatenation'
        ),
        pytest.param(lambda n, x: n.a(x)[:, [2, 0]], of('a', [2, 0]), id='selection'),
        pytest.param(
            lambda n, x: n.a(x).unflatten(1, (2, 2)).transpose(1, 2).flatten(1, 2), of('a', [0, 2, 1, 3]), id='shuffle'
        ),
        pytest.param(lambda n, x: n.a(x) + n.norm(n.b(x)), TIED, id='residual sum'),
        pytest.param(lambda n, x: n.a(x) * n.b(x).mean((2, 3), keepdim=True).sigmoid(), TIED, id='gate'),
        pytest.param(lambda n, x: torch.cat([n.a(x), n.a(x)], 1), EACH + EACH, id='two calls'),
        pytest.param(beside_its_maximum, EACH + EACH, id='beside its maximum'),
        pytest.param(lambda n, x: n.a(x).reshape(2, 8, 4, 8), of('a', [0, 0, 1, 1, 2, 2, 3, 3]), id='rows to channels'),
        pytest.param(lambda n, x: n.a(x) - n.a(x).mean((2, 3), keepdim=True), EACH, id='centring'),
    ],
)
def test_sources(transform, expected):
    net = Net(lambda n, x: n.last(transform(n, x)), **CONV, last=nn.Conv2d(len(expected), 2, 1))
    assert sources(net, IMAGE, 'last') == expected


def test_linear_layers_transposed_convolutions_and_folded_norms():
    def forward(n, x):
        rows = n.up(x).flatten(2).transpose(1, 2)  # (B, positions, 4)
        scale = n.norm.weight / (n.norm.running_var + 1e-3).sqrt()
        rows = functional.linear(rows, n.hidden.weight * scale[:, None], n.norm.bias)  # norm folded into the layer
        return n.last(rows)

    net = Net(
        forward,
        up=nn.ConvTranspose2d(3, 4, 2, stride=2),
        hidden=nn.Linear(4, 5, bias=False),
        norm=nn.BatchNorm1d(5),
        last=nn.Linear(5, 2),
    )
    seen = trace(net, lambda network: network(IMAGE))
    assert list(seen.layers) == ['up', 'hidden', 'last']
    assert seen.layers['hidden'].sources == [{('up', k)} for k in range(4)]
    assert seen.layers['last'].sources == [{('hidden', k)} for k in range(5)]
    assert seen.norms['norm'] == [{('hidden', k)} for k in range(5)]
    assert (seen.layers['up'].out_axis, seen.layers['up'].in_axis) == (1, 0)


def test_a_layer_that_several_feed_ties_them():
    net = Net(lambda n, x: [n.last(n.a(x)), n.last(n.b(x))], **CONV, last=nn.Conv2d(4, 2, 1))
    assert sources(net, IMAGE, 'last') == [[('a', k), ('b', k)] for k in range(4)]


def test_the_network_is_left_as_it_was():
    net = Net(lambda n, x: n.last(n.norm(n.a(x))), **CONV, last=nn.Conv2d(4, 2, 1)).train()
    net.a.requires_grad_(False)
    net.norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trace(net, lambda network: network(IMAGE))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert not net.norm.training
    assert not net.a.weight.requires_grad
    assert net.b.weight.requires_grad
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not net.a._forward_hooks
