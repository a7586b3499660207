"""Walking configs."""

from __future__ import annotations

from mmengine.config import Config

from pointkd.io.dummy import dummy_batch, point_range
from pointkd.io.tree import dicts, walk

CONTENT = dict(a=[1, dict(b=2)], model=dict(point_cloud_range=[0, 0, 0, 8, 8, 4]))


def test_a_config_is_walked_like_its_dict():
    assert [path for path, _ in dicts(Config(CONTENT))] == [path for path, _ in dicts(CONTENT)] == ['', 'a.1', 'model']
    assert [path for path, _ in walk(Config(CONTENT))] == [path for path, _ in walk(CONTENT)]


def test_a_made_up_batch_lies_in_the_configs_range():
    content = {
        **CONTENT,
        'model': dict(
            CONTENT['model'], type='VoxelNet', data_preprocessor=dict(type='Det3DDataPreprocessor', voxel=True)
        ),
    }
    for config in (content, Config(content)):
        assert point_range(config) == (0, 0, 0, 8, 8, 4)
        (points,) = dummy_batch(config)['inputs']['points']
        assert float(points[:, :2].amin()) >= 0
        assert float(points[:, :2].amax()) > 4
