from __future__ import annotations

import numba
import pytest

from pointkd.ops.jit import jit


def test_without_a_folder_for_the_cache_a_loop_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def njit(*args: object, cache: bool = False, **options: object):
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return plain(*args, **options)

    monkeypatch.setattr(numba, 'njit', njit)

    @jit
    def half(number: float) -> float:
        return number / 2

    assert half(3.0) == 1.5


def test_division_by_zero_is_infinite() -> None:
    @jit
    def over(first: float, second: float) -> float:
        return first / second

    assert over(1.0, 0.0) == float('inf')
