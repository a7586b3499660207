"""Mixed precision: bf16 autocast with channels-last layout on the CPU, mmengine's own wrapper on CUDA.

Convolutions and matrix products run in bf16. Losses get float32 predictions and run outside autocast; batch norm keeps
its statistics in float32 (its buffers are, and torch's CPU kernel sums in float32); sparse convolutions leave autocast
by themselves (`pointkd.ops.sparse`).
"""

from __future__ import annotations

import logging
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from pointkd.core.errors import ConfigError

logger = logging.getLogger(__name__)

FAST = ('amx_bf16', 'avx512_bf16')  # processor features without which bf16 gains little or loses
# Where heads of mmdet, mmdet3d and mmseg turn their outputs into losses, and into proposals for a second stage.
HEAD_METHODS = ('loss_by_feat', 'loss_and_target', 'predict_by_feat')


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """An optimiser wrapper whose forward passes run under bf16 autocast on the CPU; no loss scaling is needed."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run a forward pass in mixed precision (and without gradient exchange while gradients accumulate)."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def with_amp(block: Any) -> Any:
    """Return an `optim_wrapper` block for mixed precision on this machine.

    Args:
        block: the config's block; a type other than mmengine's plain or AMP wrapper is refused.

    Raises:
        ConfigError: the config has a wrapper of its own kind.
    """
    kind = block.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CpuAmpOptimWrapper'):
        raise ConfigError(f'--amp: optim_wrapper.type is {kind}, mixed precision needs OptimWrapper')
    if torch.cuda.is_available():
        return {**block, 'type': 'AmpOptimWrapper'}
    features = torch.cpu.get_capabilities()
    if not any(features.get(name) for name in FAST):
        logger.warning('--amp: this processor has neither %s: training may be slower than without', ' nor '.join(FAST))
    plain = {key: value for key, value in block.items() if key not in ('loss_scale', 'dtype', 'use_fsdp')}
    return {**plain, 'type': 'CpuAmpOptimWrapper'}


def use_channels_last(model: nn.Module) -> None:
    """Lay the weights of dense 2D convolutions out channels-last, in place; maps then follow by themselves.

    Sparse convolutions, whose weights have four axes too, are left alone.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)


def keep_heads_in_float32(model: nn.Module) -> None:
    """Let the losses and boxes of every head see float32, outside autocast; in place, and kept by copies."""
    for module in model.modules():
        for name in HEAD_METHODS:
            if callable(getattr(type(module), name, None)):
                setattr(module, name, types.MethodType(_WRAPPED[name], module))


def _in_float32(name: str) -> Any:
    """Return a method that calls the class's own with float32 tensors, outside autocast."""

    def call(self: nn.Module, *args: Any, **settings: Any) -> Any:
        with torch.autocast('cpu', enabled=False), torch.autocast('cuda', enabled=False):
            return getattr(type(self), name)(self, *_float(args), **_float(settings))

    call.__name__ = name
    return call


_WRAPPED = {name: _in_float32(name) for name in HEAD_METHODS}


def _float(value: Any) -> Any:
    """Return nested lists, tuples and dicts with half-precision tensors as float32; the rest is passed on."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    if isinstance(value, dict):
        return {key: _float(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_float(entry) for entry in value)
    return value
