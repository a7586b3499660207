"""Stands in for mmcv's compiled module `mmcv._ext`, so that mmcv-lite, mmdet, mmdet3d and mmseg run without a compiler.

`install()` puts a module with the kernels of `pointkd.ops.bindings` into `sys.modules['mmcv._ext']` before `mmcv.ops`
is first imported, and replaces the few mmcv functions that ask for CUDA before they reach a kernel. Where mmcv is
compiled, nothing is touched. This is the only module of pointkd.ops that knows mmcv.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import torch

from pointkd.core.errors import ConfigError, StackError
from pointkd.ops.registry import KERNELS, WRAPPERS

EXTENSION = 'mmcv._ext'
BACKENDS = ('torch', 'compiled')
VARIABLE = 'POINTKD_OPS'
USE_COMPILED = 'To have it, build the full mmcv 2.1.0 in place of mmcv-lite (docs/ops.md says how)'

# Kernels that come with the point-based detectors; the error says so.
PLANNED = (
    'ball_query',
    'furthest_point_sampling',
    'gather_points',
    'group_points',
    'knn',
    'roiaware_pool3d',
    'roipoint_pool3d',
    'stack_ball_query',
    'stack_group_points',
    'three_interpolate',
    'three_nn',
)

# mmcv functions that call CUDA before their kernel: they raise the kernel's error until a wrapper is registered.
CUDA_FIRST = {
    ('mmcv.ops.knn', 'knn'): 'knn_forward',
    ('mmcv.ops.furthest_point_sample', 'furthest_point_sample'): 'furthest_point_sampling_forward',
}

# mmcv functions whose backward asserts CUDA, and an mmcv function of the same module that computes the same without it.
SAME_FUNCTION = {('mmcv.ops.carafe', 'carafe_naive'): 'carafe'}


def install(backend: str | None = None) -> str:
    """Make `import mmcv.ops` work, with pointkd's kernels where mmcv has no compiled ones.

    Safe to call any number of times and in worker processes. Must come before anything imports `mmcv.ops`, mmdet,
    mmdet3d or mmseg.

    Args:
        backend: `'torch'` for pointkd's kernels, `'compiled'` for mmcv's own; None takes the environment variable
            `POINTKD_OPS`, and without it the compiled ones where they exist.

    Returns:
        The backend in use, `'torch'` or `'compiled'`.

    Raises:
        StackError: mmcv is missing; `'compiled'` is asked for and absent; the other backend is in use already.
        ConfigError: the backend has another name.
    """
    wanted = _wanted(backend)
    current = active()
    if current is None:
        current = _activate(wanted)
    if wanted not in (None, current):
        raise StackError(
            f'the {wanted!r} op backend is asked for, but mmcv.ops runs on {current!r} in this process already: call '
            f'install({wanted!r}), or set {VARIABLE}={wanted}, before the first import of mmcv.ops, mmdet or mmdet3d'
        )
    return current


def active() -> str | None:
    """Return the op backend that `mmcv.ops` uses in this process, or None where none is loaded yet."""
    if isinstance(sys.modules.get(EXTENSION), _Extension):
        return 'torch'
    return 'compiled' if 'mmcv.ops' in sys.modules else None


def missing_kernel(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises the error for a kernel nobody wrote."""

    def raise_missing(*_: Any, **__: Any) -> NoReturn:
        planned = any(name == family or name.startswith(f'{family}_') for family in PLANNED)
        state = 'is planned, with the point-based detectors' if planned else 'is not planned'
        raise StackError(f'pointkd.ops has no {name!r}, an op that mmcv compiles; it {state}. {USE_COMPILED}')

    raise_missing.__name__ = name
    return raise_missing


class _Extension(ModuleType):
    """The module `mmcv._ext`: every name is a function, either a kernel or one that says that there is none."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith('__'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        function = KERNELS.get(name)
        # Compiled kernels record no graph either: gradients are mmcv's autograd functions' business.
        value = missing_kernel(name) if function is None else torch.no_grad()(function)
        setattr(self, name, value)
        return value


class _Loader(importlib.abc.Loader):
    """Marks the stand-in as a real module: `mmcv.utils.check_ops_exist()` looks for a loader."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Extension(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module looks its kernels up when they are asked for."""


def _wanted(backend: str | None) -> str | None:
    source = 'backend' if backend else VARIABLE
    wanted = backend or os.environ.get(VARIABLE) or None
    if wanted not in (None, *BACKENDS):
        raise ConfigError(f'{source}: expected one of {", ".join(BACKENDS)}, got {wanted!r}')
    return wanted


def _compiled_exists() -> bool:
    if EXTENSION in sys.modules:
        return True
    try:
        return importlib.util.find_spec(EXTENSION) is not None
    except ImportError as error:
        raise StackError(f"mmcv can't be imported ({error}): `pip install 'pointkd[train]'`") from error


def _activate(wanted: str | None) -> str:
    """Import `mmcv.ops` on the wanted backend, or on the compiled one if it exists, and return its name."""
    exists = _compiled_exists()
    if wanted == 'compiled' and not exists:
        raise StackError(f'the compiled op backend is asked for, but there is no {EXTENSION}. {USE_COMPILED}')
    if exists and wanted != 'torch':
        _import_ops(f'set {VARIABLE}=torch to run on the ops of pointkd')
        return 'compiled'
    spec = importlib.machinery.ModuleSpec(EXTENSION, _Loader(), origin='pointkd.ops')
    extension = importlib.util.module_from_spec(spec)
    sys.modules[EXTENSION] = importlib.import_module('mmcv')._ext = extension  # type: ignore[attr-defined]
    importlib.import_module('pointkd.ops.bindings')
    _import_ops("`pip install 'pointkd[train]'`")
    _replace_wrappers()
    return 'torch'


def _import_ops(hint: str) -> None:
    try:
        importlib.import_module('mmcv.ops')
    except ImportError as error:
        sys.modules.pop(EXTENSION, None)
        raise StackError(f"mmcv.ops can't be imported ({error}): {hint}") from error


def _replace_wrappers() -> None:
    functions = {key: missing_kernel(name) for key, name in CUDA_FIRST.items()}
    functions |= {(module, name): getattr(sys.modules[module], same) for (module, name), same in SAME_FUNCTION.items()}
    functions |= WRAPPERS
    for (module, name), function in functions.items():
        _replace(module, name, function)


def _replace(module: str, name: str, function: Callable[..., Any]) -> None:
    """Put a function where mmcv defines another, and wherever mmcv has imported that one by name."""
    original = getattr(sys.modules[module], name)
    for other in [value for key, value in sys.modules.items() if key == 'mmcv' or key.startswith('mmcv.')]:
        if vars(other).get(name) is original:
            setattr(other, name, function)
