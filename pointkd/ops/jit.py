"""How pointkd compiles its loops for the CPU."""

from __future__ import annotations

import numba

# Lazily compiled at the first call and kept on disk; other threads may run meanwhile; division by zero gives inf or NaN
# as everywhere in torch, and rounding is IEEE's (no fast-math), so that results equal those of the torch versions.
jit = numba.njit(cache=True, nogil=True, error_model='numpy')
