"""A folder of a few images, made once for the tests of this folder."""

from __future__ import annotations

import pytest

from pointkd.datasets.synthetic_aerial import AerialSettings, generate


@pytest.fixture(scope='session')
def aerial(tmp_path_factory):
    root = tmp_path_factory.mktemp('aerial')
    generate(AerialSettings(images=4, val=1, test=1, seed=3, jobs=1), root)
    return root
