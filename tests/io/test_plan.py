"""Plans: what they hold, what they cut, and what they refuse."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from pointkd.core.errors import ConfigError
from pointkd.io.plan import LayerPlan, Plan, apply_plan, channels_of, cut_layer, is_depthwise


def test_each_kind_of_layer_keeps_the_right_weights() -> None:
    torch.manual_seed(0)
    plan = LayerPlan((6, 4), (0, 2, 5), (1, 3))
    conv, transposed, linear = nn.Conv2d(6, 4, 3), nn.ConvTranspose2d(6, 4, 2), nn.Linear(6, 4)
    whole = [layer.weight.detach().clone() for layer in (conv, transposed, linear)]
    bias = conv.bias.detach().clone()
    for layer in (conv, transposed, linear):
        cut_layer(layer, plan)
        assert channels_of(layer) == (3, 2)
    assert torch.equal(conv.weight, whole[0][[1, 3]][:, [0, 2, 5]])
    assert torch.equal(transposed.weight, whole[1][[0, 2, 5]][:, [1, 3]])
    assert torch.equal(linear.weight, whole[2][[1, 3]][:, [0, 2, 5]])
    assert torch.equal(conv.bias, bias[[1, 3]])
    assert conv(torch.zeros(1, 3, 5, 5)).shape == (1, 2, 3, 3)


def test_norms_and_depthwise_layers_keep_their_channels() -> None:
    norm, depthwise = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4, bias=False)
    norm.running_mean.copy_(torch.arange(4.0))
    depthwise.weight.requires_grad_(False)
    cut_layer(norm, LayerPlan((4,), (), (1, 2)))
    cut_layer(depthwise, LayerPlan((4, 4), (1, 2), (1, 2)))
    assert norm.num_features == 2
    assert norm.running_mean.tolist() == [1, 2]
    assert is_depthwise(depthwise)
    assert not depthwise.weight.requires_grad
    assert depthwise(norm(torch.zeros(1, 2, 3, 3))).shape == (1, 2, 1, 1)


def network() -> nn.Sequential:
    """Return a small net."""
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1))


def plan() -> Plan:
    """Return a plan for it."""
    middle = (0, 3, 4, 7)
    layers = {
        '0': LayerPlan((3, 8), (0, 1, 2), middle),
        '1': LayerPlan((8,), (), middle),
        '2': LayerPlan((8, 2), middle, (0, 1)),
    }
    return Plan(layers)


def test_both_forms_build_the_same_widths(tmp_path) -> None:
    plan().write(tmp_path / 'plan.json')
    assert Plan.read(tmp_path / 'plan.json') == plan()
    widths = Plan.parse(json.loads(json.dumps(plan().to_config())))
    cut, built = network(), network()
    apply_plan(cut, plan())
    apply_plan(built, widths)
    built.load_state_dict(cut.state_dict(), strict=True)
    inputs = torch.randn(1, 3, 4, 4)
    assert torch.equal(cut.eval()(inputs), built.eval()(inputs))


def test_two_plans_in_a_row_are_one() -> None:
    further = Plan({'0': LayerPlan((3, 4), (0, 1, 2), (1, 3)), '1': LayerPlan((4,), (), (1, 3))})
    joined = plan().then(Plan({**further.layers, '2': LayerPlan((4, 2), (1, 3), (0, 1))}))
    assert joined.layers['0'].outputs == (3, 7)
    assert joined.layers['2'] == LayerPlan((8, 2), (3, 7), (0, 1))
    torch.manual_seed(0)
    twice, once = network(), network()
    once.load_state_dict(twice.state_dict())
    apply_plan(twice, plan())
    apply_plan(twice, Plan({**further.layers, '2': LayerPlan((4, 2), (1, 3), (0, 1))}))
    apply_plan(once, joined)
    assert all(torch.equal(a, b) for a, b in zip(twice.parameters(), once.parameters(), strict=True))


@pytest.mark.parametrize(
    ('layers', 'words'),
    [
        ({'3': {'dense': [3, 8], 'kept': [3, 4]}}, "no layer '3'"),
        ({'0': {'dense': [3, 16], 'kept': [3, 4]}}, '3 -> 8 channels in this config, the plan was made for 3 -> 16'),
        ({'0': {'dense': [3, 8], 'kept': [3, 9]}}, '9 does not fit 8 channels'),
        ({'0': {'dense': [3, 8], 'kept': [3, 0]}}, 'no channel would be left'),
        ({'0': {'dense': [3, 8], 'inputs': [0, 1, 2], 'outputs': [3, 1]}}, 'ascending'),
        ({'0': {'dense': [3, 8]}}, 'expected a dict'),
        ({'0': {'dense': '3', 'kept': [1]}}, 'dense must be'),
        ({'0': {'dense': [3, 8], 'kept': [3]}}, 'kept must be 2'),
        ({'': {'dense': [3, 8], 'kept': [3, 8]}}, 'a Sequential, which a plan can not cut'),
    ],
)
def test_a_plan_that_does_not_fit_changes_nothing(layers: dict, words: str) -> None:
    net = network()
    before = [value.clone() for value in net.parameters()]
    with pytest.raises(ConfigError, match=words):
        apply_plan(net, Plan.parse({'layers': layers}))
    assert all(torch.equal(one, other) for one, other in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ([], 'expected a dict with `layers`'),
        ({'layers': {}, 'widths': {}}, 'unknown entries widths'),
        ({'layers': {}, 'format': 7}, 'has format 7'),
        ({'layers': {}, 'attributes': {'a.b': 'x'}}, 'attribute a.b'),
    ],
)
def test_what_is_no_plan_is_refused(content: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Plan.parse(content)


def test_a_broken_file_is_refused(tmp_path) -> None:
    (tmp_path / 'plan.json').write_text('{"layers":')
    with pytest.raises(ConfigError, match=r'plan\.json'):
        Plan.read(tmp_path / 'plan.json')
    with pytest.raises(ConfigError, match=r"no attribute 'neck\.x'"):
        apply_plan(network(), Plan({}, {'neck.x': 3}))
