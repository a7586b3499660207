"""Every golden file, called as its `meta` says, through `mmcv.ops` on the stand-in."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from helpers.golden_calls import NOT_SUPPLIED, PLANNED, Golden, goldens

from pointkd.core.errors import StackError
from pointkd.ops import standin

FOLDER = Path(__file__).resolve().parent.parent / 'golden'


@cache
def _load(name: str) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    with np.load(FOLDER / goldens()[name].folder / f'{name}.npz') as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop('meta'))), arrays


def _part(name: str, case: str, part: str) -> dict[str, np.ndarray]:
    prefix = f'{case}/{part}.'
    return {key[len(prefix) :]: value for key, value in _load(name)[1].items() if key.startswith(prefix)}


def _cases() -> list[tuple[str, str]]:
    return [(name, case) for name in goldens() if name not in PLANNED | NOT_SUPPLIED for case in _load(name)[0]]


def _same_sort() -> bool:
    """Say whether torch sorts equal numbers here as on the machine (AVX-512) that made the goldens."""
    return torch.full((60,), 0.5).sort(descending=True).indices[:2].tolist() == [45, 31]


@pytest.fixture(scope='module')
def ops() -> ModuleType:
    standin.install()
    import mmcv.ops

    return mmcv.ops


def _compare(actual: Any, expected: np.ndarray, tolerance: float, relative: bool, what: str) -> None:
    value = actual.detach().numpy()
    assert value.shape == expected.shape, what
    if expected.dtype.kind in 'iub':
        assert value.dtype == expected.dtype, what
    if relative:
        tolerance *= float(np.abs(expected).max(initial=0.0))
    if tolerance == 0:
        np.testing.assert_array_equal(value, expected, err_msg=what)
    else:
        np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance, err_msg=what)


def _inputs(name: str, case: str, differentiate: list[str]) -> dict[str, torch.Tensor]:
    arrays = {key: torch.from_numpy(value.copy()) for key, value in _part(name, case, 'in').items()}
    for key in differentiate:
        arrays[key].requires_grad_()
    return arrays


def test_every_file_is_listed() -> None:
    files = {
        path.stem: path.parent.name for folder in ('mmcv_ops', 'loop_ops') for path in (FOLDER / folder).glob('*.npz')
    }
    assert {name: golden.folder for name, golden in goldens().items()} == files
    assert set(files) >= PLANNED | NOT_SUPPLIED


@pytest.mark.parametrize(('name', 'case'), _cases())
def test_golden(ops: ModuleType, name: str, case: str) -> None:
    golden: Golden = goldens()[name]
    if case.startswith(golden.ties) and golden.ties and not _same_sort():
        pytest.skip('torch sorts equal scores in another order on this processor')
    info = _load(name)[0][case]
    arrays = _inputs(name, case, info['grads'])
    outputs = golden.call(ops, {key: value for key, value in arrays.items() if key != 'grad_output'}, info['params'])
    expected = _part(name, case, 'out')
    if name == 'nms_match':
        expected = _sorted_groups(expected)
    for key, value in expected.items():
        limit = golden.tolerance.get(key, 0.0) if isinstance(golden.tolerance, dict) else golden.tolerance
        _compare(outputs[key], value, limit, golden.relative, f'{name} {case} {key}')
    if name == 'nms_rotated' and 'inds' not in expected:
        assert outputs['inds'] is None
    gradients = _part(name, case, 'grad')
    if gradients:
        output = outputs[golden.output]
        (output * arrays['grad_output'] if 'grad_output' in arrays else output).sum().backward()
    for key, value in gradients.items():
        _compare(arrays[key].grad, value, golden.gradient, golden.relative, f'{name} {case} gradient of {key}')


def _sorted_groups(expected: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    groups = np.split(expected['groups_flat'], np.cumsum(expected['groups_size'])[:-1])
    flat = [np.concatenate([group[:1], np.sort(group[1:])]) for group in groups]
    return {**expected, 'groups_flat': np.concatenate(flat)}


@pytest.mark.parametrize('name', sorted(PLANNED | NOT_SUPPLIED))
def test_missing_op_says_so(ops: ModuleType, name: str) -> None:
    case, info = next((case, info) for case, info in _load(name)[0].items() if 'empty' not in case)
    state = 'is planned' if name in PLANNED else 'is not planned'
    with pytest.raises(StackError, match=state):
        goldens()[name].call(ops, _inputs(name, case, []), info['params'])
