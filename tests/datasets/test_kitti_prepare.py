import os
import pickle

import numpy as np
import pytest
from helpers.kitti_frames import BOXES, labels, write_frame, write_root

from pointkd.core.errors import ConfigError, DataError, StorageError
from pointkd.core.kitti import KittiObjects, read_points, write_objects, write_points
from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.kitti_prepare import prepare


def load(path):
    return pickle.loads(path.read_bytes())


def test_what_is_made_beside_the_data(tmp_path):
    root = write_root(tmp_path)
    summary = prepare(root)
    assert summary.frames == {'train': 2, 'val': 1}
    assert summary.database['Car'] == summary.database['Pedestrian'] == 2
    assert [len(load(root / f'kitti_infos_{part}.pkl')['data_list']) for part in ('train', 'val', 'trainval')] == [
        2,
        1,
        3,
    ]
    assert not (root / 'kitti_infos_test.pkl').exists()
    assert sorted(path.name for path in (root / 'training' / 'velodyne_reduced').iterdir()) == [
        '000000.bin',
        '000001.bin',
        '000002.bin',
    ]


def test_database_holds_each_objects_points_relative_to_its_box(tmp_path):
    root = write_root(tmp_path)
    prepare(root)
    database = load(root / 'kitti_dbinfos_train.pkl')
    assert sorted(database) == ['Car', 'Pedestrian']  # mmdet3d's sampler wants no class without an object
    entry = database['Car'][1]
    assert entry['box3d_lidar'] == pytest.approx(BOXES[0], abs=1e-5)
    assert entry['box3d_lidar'].dtype == np.float32
    points = read_points(root / entry['path'])
    assert len(points) == entry['num_points_in_gt'] >= 200
    assert np.hypot(points[:, 0], points[:, 1]).max() < 2.2
    assert [item['group_id'] for name in ('Car', 'Pedestrian') for item in database[name]] == [0, 2, 1, 3]


def test_reduced_clouds_hold_what_the_camera_sees(tmp_path):
    root = write_root(tmp_path)
    prepare(root)
    folder = KittiFolder(root)
    whole, reduced = read_points(folder.cloud('000000')), read_points(folder.reduced_cloud('000000'))
    assert 0 < len(reduced) < len(whole)
    assert {row.tobytes() for row in reduced} <= {row.tobytes() for row in whole}


def test_a_root_that_is_read_only(tmp_path):
    root, out = write_root(tmp_path / 'root'), tmp_path / 'out'
    before = sorted(path.relative_to(root) for path in root.rglob('*'))
    prepare(root, out)
    assert sorted(path.relative_to(root) for path in root.rglob('*')) == before
    info = load(out / 'kitti_infos_train.pkl')['data_list'][0]
    assert (out / 'training' / 'velodyne' / info['lidar_points']['lidar_path']).is_file()
    assert (out / 'training' / 'velodyne_reduced' / info['lidar_points']['lidar_path']).is_file()
    assert (out / load(out / 'kitti_dbinfos_train.pkl')['Car'][0]['path']).is_file()


def test_jobs_change_nothing(tmp_path):
    root = write_root(tmp_path / 'root', train=3)
    made = []
    for jobs in (1, 2):
        prepare(root, tmp_path / f'out{jobs}', jobs=jobs)
        made.append((tmp_path / f'out{jobs}' / 'kitti_infos_trainval.pkl').read_bytes())
    assert pickle.loads(made[0]) == pickle.loads(made[1])


def test_frames_without_image_and_unknown_classes_are_counted(tmp_path):
    root = write_root(tmp_path)
    write_frame(root, '000001', objects=labels(('Car', 'Ghost')))
    KittiFolder(root).image('000002').unlink()
    summary = prepare(root)
    assert summary.sized == 1
    assert summary.unknown == {'Ghost': 1}
    assert load(root / 'kitti_infos_train.pkl')['metainfo']['categories']['Ghost'] == -1


def test_classes_choose_what_the_database_holds(tmp_path):
    root = write_root(tmp_path)
    assert prepare(root, classes=['Car', 'Tram']).database == {'Car': 2, 'Tram': 0}
    assert {path.name.split('_')[1] for path in (root / 'kitti_gt_database').iterdir()} == {'Car'}
    with pytest.raises(ConfigError, match='at least one class'):
        prepare(root, classes=[])


def test_a_frame_without_objects(tmp_path):
    root = write_root(tmp_path)
    write_objects(KittiFolder(root).label('000000'), KittiObjects())
    assert prepare(root).database['Car'] == 1
    assert load(root / 'kitti_infos_train.pkl')['data_list'][0]['instances'] == []


def nan_cloud(folder):
    write_points(folder.cloud('000001'), np.full((5, 4), np.nan, dtype=np.float32))


def nan_label(folder):
    objects = labels()
    objects.location[0, 2] = np.nan
    write_objects(folder.label('000001'), objects)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda folder: folder.cloud('000001').unlink(), '000001.bin: can not be read'),
        (lambda folder: folder.cloud('000001').write_bytes(b'123'), 'truncated'),
        (lambda folder: folder.label('000001').unlink(), '000001.txt: can not be read'),
        (lambda folder: folder.calibration('000001').write_text('P2: 1'), '000001.txt: P2 must be 12'),
        (nan_cloud, '000001.bin: 20 values are NaN or infinite.*check-data'),
        (nan_label, '000001.txt: 1 values are NaN or infinite'),
    ],
)
def test_a_broken_frame_stops_with_its_name_and_leaves_old_infos(tmp_path, spoil, message):
    root = write_root(tmp_path)
    prepare(root)
    before = (root / 'kitti_infos_train.pkl').read_bytes()
    spoil(KittiFolder(root))
    with pytest.raises(DataError, match=message):
        prepare(root)
    assert (root / 'kitti_infos_train.pkl').read_bytes() == before


def test_a_full_disk(tmp_path, monkeypatch):
    root = write_root(tmp_path / 'root')

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr('pointkd.core.files.os.fsync', full)
    with pytest.raises(StorageError, match='the disk is full'):
        prepare(root, tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*.pkl'))


def test_progress_counts_to_the_end(tmp_path):
    calls = []
    prepare(write_root(tmp_path), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize('name', ['kitti', 'astyx'])
def test_real_data(shared, tmp_path, name):
    lists = {'train': 'mini_train', 'val': 'mini_val'} if name == 'kitti' else dict.fromkeys(('train', 'test'), 'val')
    summary = prepare(shared / 'data' / name, tmp_path, lists=lists)
    if name == 'kitti':
        assert summary.frames == {'train': 43, 'val': 26}
        assert (summary.database['Car'], summary.database['Pedestrian'], summary.database['Cyclist']) == (126, 14, 24)
        assert summary.sized == 60
    else:
        assert summary.frames == {'train': 75, 'val': 75, 'test': 75}
        assert summary.database['Car'] == 469
