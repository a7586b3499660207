"""How pointkd compiles its loops for the CPU.

Numba looks only at the file of a cached function to see whether it has changed. So a loop calls loops of its own file
and uses constants of its own file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar('Function', bound=Callable[..., object])

# Other threads run meanwhile; division by zero gives inf or NaN as everywhere in torch; rounding is IEEE's (no
# fast-math), so that results equal those of the torch versions.
SETTINGS = {'nogil': True, 'error_model': 'numpy'}


def jit(function: Function) -> Function:
    """Compile a function at its first call and keep the machine code for later processes, where a folder lets it."""
    try:
        return numba.njit(cache=True, **SETTINGS)(function)
    except RuntimeError:  # numba: no locator available, i.e. no folder to write to
        return numba.njit(**SETTINGS)(function)
