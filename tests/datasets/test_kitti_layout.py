"""Classes of your own in KITTI layout."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pointkd.core.errors import ConfigError, DataError
from pointkd.io.build import prepare

prepare()

from pointkd.datasets.kitti_layout import KittiLayoutDataset, classes_of  # noqa: E402 - after mmcv's stand-in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with an info file of one frame: a worker, a forklift and something ignored."""
    instances = [
        dict(bbox_3d=[1, 2, 3, 1, 1, 1, 0], bbox_label_3d=label, bbox=[0, 0, 9, 9], bbox_label=label)
        for label in (1, 0, -1)
    ]
    frame = dict(sample_idx=0, instances=instances, images={}, lidar_points=dict(lidar_path='0.bin', num_pts_feats=4))
    content = {'metainfo': {'categories': {'Forklift': 0, 'Worker': 1, 'DontCare': -1}}, 'data_list': [frame]}
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    return tmp_path


def test_classes_are_those_of_the_info_file(root: Path) -> None:
    assert classes_of(root / 'infos.pkl') == ('Forklift', 'Worker')
    dataset = KittiLayoutDataset(str(root), 'infos.pkl', lazy_init=True)
    assert dataset.metainfo['classes'] == ('Forklift', 'Worker')


def test_labels_follow_the_order_of_the_network(root: Path) -> None:
    dataset = KittiLayoutDataset(str(root), 'infos.pkl', dict(classes=['Worker']), lazy_init=True)
    assert dataset.label_mapping == {0: -1, 1: 0, -1: -1}


def test_unknown_class_and_bad_files(root: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'Forklift'"):
        KittiLayoutDataset(str(root), 'infos.pkl', dict(classes=['Forklfit']))
    with pytest.raises(DataError, match='create-data'):
        KittiLayoutDataset(str(root), 'none.pkl')
    (root / 'bad.pkl').write_bytes(b'\x80\x04}.')
    with pytest.raises(DataError, match='no info file'):
        KittiLayoutDataset(str(root), 'bad.pkl')
