import pytest
from helpers.kitti_frames import write_frame, write_root

from pointkd.core.errors import ConfigError, DataError
from pointkd.core.kitti import read_frame_list
from pointkd.datasets.kitti_parts import link_root, read_tasks


def frames(tasks, part):
    return [(task.frame, task.half, task.labelled) for task in tasks if task.part == part]


def test_parts_of_a_root(tmp_path):
    tasks = read_tasks(write_root(tmp_path), {})
    assert frames(tasks, 'train') == [('000000', 'training', True), ('000001', 'training', True)]
    assert frames(tasks, 'val') == [('000002', 'training', True)]
    assert frames(tasks, 'test') == []


def test_kittis_own_test_frames_lie_apart_and_have_no_labels(tmp_path):
    root = write_root(tmp_path)
    (root / 'ImageSets' / 'test.txt').write_text('000007\n')
    assert frames(read_tasks(root, {}), 'test') == [('000007', 'training', True)]
    write_frame(root, '000007', half='testing')
    assert frames(read_tasks(root, {}), 'test') == [('000007', 'testing', False)]


def test_lists_with_other_names(tmp_path):
    root = write_root(tmp_path)
    (root / 'ImageSets' / 'train.txt').rename(root / 'ImageSets' / 'mini_train.txt')
    with pytest.raises(DataError, match=r"did you mean 'mini_train'.*--splits train=NAME"):
        read_tasks(root, {})
    assert len(frames(read_tasks(root, {'train': 'mini_train'}), 'train')) == 2


@pytest.mark.parametrize(
    ('lists', 'error', 'message'),
    [
        ({'trian': 'train'}, ConfigError, "no part 'trian': did you mean 'train'"),
        ({'test': 'nothing'}, DataError, 'nothing.txt: the list of frames'),
    ],
)
def test_wrong_splits(tmp_path, lists, error, message):
    with pytest.raises(error, match=message):
        read_tasks(write_root(tmp_path), lists)


def test_no_list_at_all(tmp_path):
    with pytest.raises(DataError, match='and so is any other'):
        read_tasks(tmp_path, {})


def test_links_lead_to_the_root_and_are_made_once(tmp_path):
    root, out = write_root(tmp_path / 'root'), tmp_path / 'out'
    for _ in range(2):
        link_root(root, out, read_tasks(root, {}))
    assert (out / 'training' / 'velodyne' / '000001.bin').read_bytes()
    assert (out / 'training' / 'velodyne').is_symlink()
    assert read_frame_list(out / 'ImageSets' / 'train.txt') == ['000000', '000001']


def test_something_in_the_way_of_a_link(tmp_path):
    root, out = write_root(tmp_path / 'root'), tmp_path / 'out'
    (out / 'training' / 'velodyne').mkdir(parents=True)
    with pytest.raises(DataError, match='is in the way of a link'):
        link_root(root, out, read_tasks(root, {}))
