"""Compiled functions where their machine code can and can not be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from pointkd.evaluation.jit import kernel


def test_without_a_place_for_the_cache_a_function_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def njit(*args: object, cache: bool = False, **settings: object):
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return plain(*args, **settings)

    monkeypatch.setattr(numba, 'njit', njit)

    @kernel
    def half(number: float) -> float:
        return number / 2

    assert half(3.0) == 1.5


def test_division_by_zero_is_infinite() -> None:
    @kernel
    def over(first: float, second: float) -> float:
        return first / second

    assert over(1.0, 0.0) == float('inf')


@pytest.mark.long
def test_the_cache_can_lie_elsewhere(tmp_path: Path) -> None:
    """As for a read-only installation: numba then takes the user's cache folder, or the one it is told."""
    code = (
        'from pointkd.evaluation.kitti import overlaps as o; print(o._polygon_area(__import__("numpy").eye(3, 2), 3))'
    )
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path))
    output = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True)
    assert float(output.stdout) == 0.5
    assert list(tmp_path.rglob('*.nbi'))
