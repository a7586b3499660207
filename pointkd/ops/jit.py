"""How pointkd compiles its loops for the CPU.

Numba looks only at the file of a cached function to see whether it has changed. So a loop calls loops of its own file
and uses constants of its own file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from pointkd.core.errors import StackError

try:
    import numba
except ImportError:  # the nets for images run without it, so that importing pointkd.ops must not ask for it
    numba = None

Function = TypeVar('Function', bound=Callable[..., object])
AVAILABLE = numba is not None

# Other threads run meanwhile; division by zero gives inf or NaN as everywhere in torch; rounding is IEEE's (no
# fast-math), so that results equal those of the torch versions.
SETTINGS = {'nogil': True, 'error_model': 'numpy'}


def jit(function: Function) -> Function:
    """Compile a function at its first call and keep the machine code for later processes, where a folder lets it.

    Without numba the result raises `StackError` when it is called.
    """
    if not AVAILABLE:
        return _missing(function)
    try:
        return numba.njit(cache=True, **SETTINGS)(function)
    except RuntimeError:  # numba: no locator available, i.e. no folder to write to
        return numba.njit(**SETTINGS)(function)


def _missing(function: Function) -> Function:
    """Return what stands in for a loop that can't be compiled."""

    @functools.wraps(function)
    def raise_missing(*_: Any, **__: Any) -> NoReturn:
        raise StackError(f'{function.__module__} needs numba for {function.__name__}: `pip install numba`')

    return raise_missing  # type: ignore[return-value]
