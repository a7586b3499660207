"""The tables of what `pointkd.ops` supplies: kernels under mmcv's names, and mmcv functions that it has to replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar('Function', bound=Callable[..., Any])

KERNELS: dict[str, Callable[..., Any]] = {}
WRAPPERS: dict[tuple[str, str], Callable[..., Any]] = {}


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


def wrapper(module: str, name: str) -> Callable[[Function], Function]:
    """Register a function that takes the place of `<module>.<name>`, an mmcv function that can't run without CUDA.

    Args:
        module: full name of the mmcv module that defines it, such as `'mmcv.ops.points_in_boxes'`.
        name: name of the function there.
    """

    def register(function: Function) -> Function:
        if (module, name) in WRAPPERS:
            raise KeyError(f'wrapper {module}.{name} is registered twice')
        WRAPPERS[module, name] = function
        return function

    return register
