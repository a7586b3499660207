"""The decorator of compiled functions: numba in nopython mode, kept on disk from one process to the next.

Numba looks only at the file of a cached function to see whether it has changed. So a kernel calls kernels of its own
file and takes tables as arguments: what it depends on is then in that file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar('Function', bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function at its first call and keep the machine code for later processes.

    The code lies in `__pycache__` beside the source, or in the user's cache folder where that can't be written. Where
    neither can, the function is compiled anew in each process. Division by zero gives infinity or NaN, as in C. Other
    threads run on meanwhile.

    Args:
        function: plain Python over numbers and numpy arrays.

    Returns:
        The compiled function, with the same arguments.
    """
    try:
        return numba.njit(cache=True, error_model='numpy', nogil=True)(function)
    except RuntimeError:  # numba: no locator available, i.e. no folder to write to
        return numba.njit(error_model='numpy', nogil=True)(function)
