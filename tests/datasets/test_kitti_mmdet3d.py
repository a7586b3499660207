"""What `prepare` writes is what mmdet3d's own converter writes, and what its data set reads."""

import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.kitti_dataset import dataset
from helpers.kitti_frames import write_frame, write_root

from pointkd.datasets.kitti_prepare import prepare

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def mmdet3d():
    from pointkd.io.build import prepare as make_ready

    make_ready()
    import mmdet3d.datasets

    return mmdet3d


@pytest.fixture(scope='module')
def prepared(tmp_path_factory, mmdet3d):
    """The same data set prepared by mmdet3d and by us."""
    folder = tmp_path_factory.mktemp('kitti')
    for name in ('theirs', 'ours'):
        root = write_root(folder / name, train=3, val=2)
        write_frame(root, '000009', half='testing')
        (root / 'ImageSets' / 'test.txt').write_text('000009\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, 'sleep', lambda seconds: None)  # it waits five seconds before each file
        patch.setattr(sys, 'argv', ['create_data.py', 'kitti'])  # it reads its arguments when imported
        patch.syspath_prepend(str(Path(mmdet3d.__file__).parent / '.mim'))
        for name in [name for name in sys.modules if name == 'tools' or name.startswith('tools.')]:
            patch.delitem(sys.modules, name)
        from mmengine.registry import DefaultScope

        from tools.create_data import kitti_data_prep

        with DefaultScope.overwrite_default_scope('mmdet3d'):
            kitti_data_prep(str(folder / 'theirs'), 'kitti', 'v1.0', str(folder / 'theirs'))
    prepare(folder / 'ours')
    return folder / 'theirs', folder / 'ours'


def differences(theirs, ours, path=''):
    """Every place where two nested structures differ by more than rounding."""
    if isinstance(theirs, dict):
        yield from (f'{path}.{key} is in one of them' for key in set(theirs) ^ set(ours))
        for key in set(theirs) & set(ours):
            yield from differences(theirs[key], ours[key], f'{path}.{key}')
    elif isinstance(theirs, list | tuple):
        if len(theirs) != len(ours):
            yield f'{path}: {len(theirs)} and {len(ours)} entries'
        for number, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from differences(one, other, f'{path}[{number}]')
    elif isinstance(theirs, str):
        if theirs != ours:
            yield f'{path}: {theirs} and {ours}'
    elif not np.allclose(theirs, ours, rtol=1e-4, atol=1e-5):
        yield f'{path}: {theirs} and {ours}'


@pytest.mark.parametrize('part', ['train', 'val', 'trainval', 'test'])
def test_info_files_equal_the_converters(prepared, part):
    theirs, ours = (pickle.loads((root / f'kitti_infos_{part}.pkl').read_bytes()) for root in prepared)
    assert not list(differences(theirs['data_list'], ours['data_list']))
    assert theirs['metainfo']['categories'].items() <= ours['metainfo']['categories'].items()
    assert theirs['metainfo']['info_version'] == ours['metainfo']['info_version']


def test_database_equals_the_converters(prepared):
    theirs, ours = (pickle.loads((root / 'kitti_dbinfos_train.pkl').read_bytes()) for root in prepared)
    assert set(theirs) == set(ours)
    for name in theirs:
        for one, other in zip(theirs[name], ours[name], strict=True):
            # the converter numbers frames by their place in the list, we by their name
            named = {key: value for key, value in other.items() if key not in ('path', 'image_idx')}
            assert not list(differences({key: one[key] for key in named}, named))
            cut = [
                np.fromfile(root / entry['path'], np.float32)
                for root, entry in zip(prepared, (one, other), strict=True)
            ]
            assert cut[0] == pytest.approx(cut[1], abs=1e-4)


@pytest.mark.parametrize('half', ['training', 'testing'])
def test_reduced_clouds_equal_the_converters(prepared, half):
    theirs, ours = (root / half / 'velodyne_reduced' for root in prepared)
    assert sorted(path.name for path in theirs.iterdir()) == sorted(path.name for path in ours.iterdir())
    for path in theirs.iterdir():
        assert path.read_bytes() == (ours / path.name).read_bytes()


def test_the_data_set_reads_what_we_wrote(prepared):
    from mmdet3d.structures import Box3DMode

    _, ours = prepared
    frames = dataset(ours)
    assert len(frames) == 3
    boxes = frames.get_data_info(0)['ann_info']['gt_bboxes_3d']
    assert boxes.__class__.__name__ == 'LiDARInstance3DBoxes'
    assert frames.box_mode_3d == Box3DMode.LIDAR
    sample = frames[0]
    assert sample['inputs']['points'].shape[1] == 4
    assert len(sample['data_samples'].gt_instances_3d.labels_3d) >= 2


def test_a_root_elsewhere_serves_as_data_root(prepared, tmp_path, mmdet3d):
    root = write_root(tmp_path / 'root')
    prepare(root, tmp_path / 'out')
    assert len(dataset(tmp_path / 'out')[0]['data_samples'].gt_instances_3d.labels_3d) >= 2
