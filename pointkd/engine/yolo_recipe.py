"""What the published training of YOLO nets needs beside mmengine's parts: groups, warm-up, average of the weights."""

from __future__ import annotations

import math
from typing import Any

from mmengine.model import ExponentialMovingAverage
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler
from mmengine.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS, PARAM_SCHEDULERS
from torch import Tensor, nn

from pointkd.core.errors import ConfigError

KIND = 'kind'  # key of an optimiser's group
WEIGHTS, SCALES, BIASES = 'weights', 'scales', 'biases'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayGroups(DefaultOptimWrapperConstructor):
    """Makes an optimiser of three groups: weights, which decay, scales of norms and biases, which do not."""

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Return the optimiser wrapper; a group that would be empty is left out."""
        if self.paramwise_cfg:
            raise ConfigError('optim_wrapper: DecayGroups takes no paramwise_cfg')
        groups: dict[str, list[nn.Parameter]] = {WEIGHTS: [], SCALES: [], BIASES: []}
        for name, parameter in getattr(model, 'module', model).named_parameters():
            if parameter.requires_grad:
                groups[_kind(name, parameter)].append(parameter)
        settings = [
            {'params': parameters, KIND: kind, **({} if kind == WEIGHTS else {'weight_decay': 0.0})}
            for kind, parameters in groups.items()
            if parameters
        ]
        optimiser = OPTIMIZERS.build({**self.optimizer_cfg, 'params': settings})
        wrapper = {'type': 'OptimWrapper', **self.optim_wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper, default_args={'optimizer': optimiser})


@PARAM_SCHEDULERS.register_module()
class WarmUpThenLinear(LRSchedulerMixin, _ParamScheduler):
    """A learning rate that falls in a line, reached from 0 (weights, scales) and from above (biases).

    Args:
        optimizer: with the groups of `DecayGroups`.
        warm_up: steps (epochs, where converted) until all groups are on the line.
        bias_start: rate of the biases at the first step.
        final: share of the rate that is left at `end`.
        settings: `begin`, `end`, `last_step`, `by_epoch`, `verbose` as mmengine's schedulers have.
    """

    def __init__(self, optimizer: Any, warm_up: float, bias_start: float, final: float, **settings: Any) -> None:
        if settings.get('end', INF) == INF:
            raise ConfigError('param_scheduler: WarmUpThenLinear needs an end')
        self.warm_up, self.bias_start, self.final = warm_up, bias_start, final
        super().__init__(optimizer, **settings)

    @classmethod
    def build_iter_from_epoch(
        cls, optimizer: Any, *, warm_up: float, begin: int = 0, end: int = INF, epoch_length: int, **settings: Any
    ) -> WarmUpThenLinear:
        """Return the schedule in iterations from one in epochs (mmengine calls it for `convert_to_iter_based`)."""
        settings['by_epoch'] = False
        first, last = int(begin * epoch_length), INF if end == INF else int(end * epoch_length)
        return cls(optimizer, warm_up=warm_up * epoch_length, begin=first, end=last, **settings)

    def _get_value(self) -> list[float]:
        """Return the rate of each group at this step."""
        left = 1 - self.last_step / (self.end - self.begin)
        share = min(1.0, self.last_step / self.warm_up) if self.warm_up else 1.0
        rates = []
        for group, base in zip(self.optimizer.param_groups, self.base_values, strict=True):
            start = self.bias_start if group.get(KIND) == BIASES else 0.0
            rates.append((1 - share) * start + share * base * (self.final + (1 - self.final) * left))
        return rates


@MODELS.register_module()
class SettlingEMA(ExponentialMovingAverage):
    """An average of the weights that follows them closely at first: momentum `m + (1 − m) e^{−t/γ}`.

    mmdet's `ExpMomentumEMA` is the same up to rounding, but moves a weight that never changes.

    Args:
        model: whose weights are averaged.
        momentum: share of the new weights in the long run.
        gamma: steps until the average has settled.
        settings: as mmengine's `ExponentialMovingAverage` has.
    """

    def __init__(self, model: nn.Module, momentum: float = 1e-4, gamma: float = 2000, **settings: Any) -> None:
        super().__init__(model, momentum, **settings)
        if gamma <= 0:
            raise ConfigError(f'SettlingEMA: gamma must be above 0, got {gamma}')
        self.gamma = gamma

    def avg_func(self, averaged_param: Tensor, source_param: Tensor, steps: int) -> None:
        """Move the average, in place."""
        share = self.momentum + (1 - self.momentum) * math.exp(-float(steps + 1) / self.gamma)
        averaged_param.lerp_(source_param, share)


def _kind(name: str, parameter: nn.Parameter) -> str:
    """Return the group of a parameter."""
    if name.endswith('bias'):
        return BIASES
    return WEIGHTS if parameter.ndim > 1 else SCALES
