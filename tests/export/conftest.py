"""A small detector with random weights, and its export, made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='session')
def small_net(tmp_path_factory):
    """Config and checkpoint of a PointPillars on a 32 x 32 grid."""
    from helpers.small_pillars import write_small_net

    return write_small_net(tmp_path_factory.mktemp('net'))


@pytest.fixture(scope='session')
def small_export(tmp_path_factory):
    """Folder of its export; the checkpoint lies beside it."""
    from helpers.small_pillars import export_small_net

    return export_small_net(tmp_path_factory.mktemp('export'))
