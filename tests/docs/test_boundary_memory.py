"""The memory that the page of BoundaryPrivileged names is what its script wrote; the script's cases run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / 'docs' / 'methods' / 'boundary.md'


@pytest.fixture(scope='module')
def script() -> ModuleType:
    """The script as a module."""
    path = REPOSITORY / 'tools' / 'benchmarks' / 'boundary_memory.py'
    specification = importlib.util.spec_from_file_location('boundary_memory', path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_shows_what_was_measured(script: ModuleType) -> None:
    result = json.loads(PAGE.with_name('boundary_memory.json').read_text())
    text = PAGE.read_text()
    assert script.table(result) in text
    assert result['labels'] == [512, 1024]
    assert all(f'{ratio:g} times' in text for ratio in result['mask_speedup'].values())


def test_the_cases_run_and_both_masks_agree(script: ModuleType) -> None:
    cases = script.cases(64, 64, 3)
    assert (cases['mask']() - cases['mask by one_hot']()).abs().max() <= 1e-6
    assert len(cases) == 9
    for case in cases.values():
        case()
