"""A small exported detector, made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='session')
def small_export(tmp_path_factory):
    """Folder of an exported PointPillars on a 32 x 32 grid."""
    from helpers.small_pillars import export_small_net

    return export_small_net(tmp_path_factory.mktemp('export'))
