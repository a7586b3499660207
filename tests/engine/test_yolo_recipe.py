import math

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, PARAM_SCHEDULERS

import pointkd.engine  # noqa: F401 - registers
from pointkd.core.errors import ConfigError
from pointkd.engine.yolo_recipe import SettlingEMA


def net():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1, bias=False)
    model = torch.nn.Sequential(*layers)
    model.fixed = torch.nn.Parameter(torch.arange(3.0), requires_grad=False)
    return model


def wrapper(model, **settings):
    optimiser = dict(type='SGD', lr=0.01, momentum=0.937, weight_decay=5e-4, nesterov=True)
    block = dict(type='DecayGroups', optim_wrapper_cfg=dict(type='OptimWrapper', optimizer=optimiser, **settings))
    return OPTIM_WRAPPER_CONSTRUCTORS.build(block)(model)


def schedule(optimiser, **settings):
    block = dict(type='WarmUpThenLinear', warm_up=4, bias_start=0.1, final=0.1, begin=0, end=20, **settings)
    return PARAM_SCHEDULERS.build(block, default_args=dict(optimizer=optimiser))


def test_only_weights_decay():
    model = net()
    built = wrapper(model, accumulative_counts=4)
    assert isinstance(built, OptimWrapper)
    groups = {group['kind']: group for group in built.optimizer.param_groups}
    assert {kind: group['weight_decay'] for kind, group in groups.items()} == {
        'weights': 5e-4,
        'scales': 0,
        'biases': 0,
    }
    sizes = {kind: sorted(entry.numel() for entry in group['params']) for kind, group in groups.items()}
    assert sizes == {'weights': [8, 108], 'scales': [4], 'biases': [4, 4]}
    assert all(group['nesterov'] for group in groups.values())


def test_a_group_without_parameters_is_left_out_and_paramwise_is_refused():
    built = wrapper(torch.nn.Linear(2, 2, bias=False))
    assert [group['kind'] for group in built.optimizer.param_groups] == ['weights']
    block = dict(
        optim_wrapper_cfg=dict(optimizer=dict(type='SGD', lr=1, weight_decay=0)), paramwise_cfg=dict(norm_decay_mult=0)
    )
    with pytest.raises(ConfigError, match='paramwise_cfg'):
        OPTIM_WRAPPER_CONSTRUCTORS.build(dict(type='DecayGroups', **block))(net())


def rates(steps, **settings):
    optimiser = wrapper(net()).optimizer
    scheduler = schedule(optimiser, **settings)
    found = []
    for _ in range(steps):
        found.append({group['kind']: group['lr'] for group in optimiser.param_groups})
        optimiser.step()
        scheduler.step()
    return found


def test_rates_rise_or_fall_to_the_line_and_follow_it():
    found = rates(20)
    line = [0.01 * (1 - 0.9 * step / 20) for step in range(20)]
    for step, entry in enumerate(found):
        share = min(1, step / 4)
        assert entry['weights'] == entry['scales'] == pytest.approx(share * line[step])
        assert entry['biases'] == pytest.approx((1 - share) * 0.1 + share * line[step])
    assert found[0] == {'weights': 0, 'scales': 0, 'biases': pytest.approx(0.1)}


def test_epochs_become_iterations_and_state_resumes():
    optimiser = wrapper(net()).optimizer
    settings = dict(type='WarmUpThenLinear', warm_up=0.5, bias_start=0.1, final=0.1, begin=0, end=10, by_epoch=True)
    settings['convert_to_iter_based'] = True
    scheduler = PARAM_SCHEDULERS.build(settings, default_args=dict(optimizer=optimiser, epoch_length=8))
    assert (scheduler.warm_up, scheduler.end, scheduler.by_epoch) == (4, 80, False)
    for _ in range(7):
        optimiser.step()
        scheduler.step()
    state, before = scheduler.state_dict(), [group['lr'] for group in optimiser.param_groups]
    other = PARAM_SCHEDULERS.build(settings, default_args=dict(optimizer=wrapper(net()).optimizer, epoch_length=8))
    other.load_state_dict(state)
    other.optimizer.step()
    other.step()
    optimiser.step()
    scheduler.step()
    after = [group['lr'] for group in optimiser.param_groups]
    assert [group['lr'] for group in other.optimizer.param_groups] == after != before


def test_a_schedule_without_end_is_refused():
    optimiser = wrapper(net()).optimizer
    with pytest.raises(ConfigError, match='end'):
        PARAM_SCHEDULERS.build(
            dict(type='WarmUpThenLinear', warm_up=4, bias_start=0.1, final=0.1), default_args=dict(optimizer=optimiser)
        )


def test_the_average_follows_closely_at_first_and_leaves_constants_alone():
    model = net()
    average = SettlingEMA(model, momentum=1e-3, gamma=10)
    by_hand = model[0].weight.detach().clone()
    for step in range(50):
        with torch.no_grad():
            model[0].weight.add_(0.1)
        average.update_parameters(model)
        share = 1 if step == 0 else 1e-3 + (1 - 1e-3) * math.exp(-(step + 1) / 10)  # mmengine's first is a copy
        by_hand.lerp_(model[0].weight.detach(), share)
    assert torch.allclose(average.module[0].weight, by_hand)
    assert torch.equal(average.module.fixed, torch.arange(3.0))
    with pytest.raises(ConfigError, match='gamma'):
        SettlingEMA(model, gamma=0)
