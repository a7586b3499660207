"""The table of kernels that `pointkd.ops` supplies under the names of mmcv's compiled module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar('Function', bound=Callable[..., Any])

KERNELS: dict[str, Callable[..., Any]] = {}


def kernel(name: str) -> Callable[[Function], Function]:
    """Register a function as the kernel `mmcv._ext.<name>`; it has mmcv's arguments and fills mmcv's output tensors.

    Kernels live in `pointkd/ops/bindings/`, one file a family, thin over the functions of `pointkd.ops`.
    """

    def register(function: Function) -> Function:
        if name in KERNELS:
            raise KeyError(f'kernel {name} is registered twice')
        KERNELS[name] = function
        return function

    return register
