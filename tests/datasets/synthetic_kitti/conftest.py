import pytest

from pointkd.datasets.synthetic_kitti import SceneSettings, generate

SETTINGS = SceneSettings(scenes=10, seed=3, range_m=45.0, jobs=1)


@pytest.fixture(scope='session')
def scenes(tmp_path_factory):
    """Root of a few synthetic scenes."""
    root = tmp_path_factory.mktemp('synthetic')
    assert generate(SETTINGS, root) == SETTINGS.scenes
    return root
