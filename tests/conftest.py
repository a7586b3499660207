"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # as the command line does, before torch is loaded

REPOSITORY = Path(__file__).resolve().parent.parent
GOLDEN = REPOSITORY / 'tests' / 'golden'


@pytest.fixture(scope='session')
def golden() -> Path:
    """Folder of the reference values that travel with the project."""
    return GOLDEN


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of the data that can't travel with the project: `POINTKD_SHARED`, or `shared` beside the checkout."""
    folder = Path(os.environ.get('POINTKD_SHARED', REPOSITORY.parent / 'shared'))
    if not (folder / 'data').is_dir():
        pytest.skip(f'real data not here ({folder}/data is absent; set POINTKD_SHARED)')
    return folder
