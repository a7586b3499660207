"""One test for each kind of defect: the frame is named with its kind, others are not."""

import json

import numpy as np
import pytest
from helpers.kitti_frames import BOXES, CALIBRATION, cloud, labels, png, write_frame, write_root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointkd.core.errors import DataError
from pointkd.core.kitti import Calibration, KittiObjects, write_calibration, write_objects, write_points
from pointkd.datasets.kitti_check import check_root
from pointkd.datasets.kitti_check_frame import KINDS
from pointkd.datasets.kitti_check_report import SHOWN_FRAMES, describe
from pointkd.datasets.kitti_folder import KittiFolder

BAD = '000001'


@pytest.fixture
def root(tmp_path):
    return write_root(tmp_path / 'kitti')


def kinds(report):
    """Kinds of problem by frame."""
    found = {}
    for kind, entries in report.by_kind().items():
        for frame, _ in entries:
            found.setdefault(frame, set()).add(kind)
    return found


def test_a_good_root(root):
    report = check_root(root)
    assert report.ok()
    assert report.by_kind() == {}
    assert report.lists == {'train': 2, 'val': 1}
    text = describe(report)
    assert 'Nothing is broken.' in text
    assert '3 frames (lists: train 2, val 1)' in text


def change_points(folder, change):
    write_points(folder.cloud(BAD), change(cloud(1).copy()))


def change_calibration(folder, **fields):
    parts = {
        'projection': CALIBRATION.projection,
        'rectification': CALIBRATION.rectification,
        'lidar_to_reference': CALIBRATION.lidar_to_reference,
    }
    write_calibration(folder.calibration(BAD), Calibration(**(parts | fields)))


def change_label(folder, change):
    objects = labels()
    change(objects)
    write_objects(folder.label(BAD), objects)


def some_nan(points):
    points[5, 1], points[6, 3] = np.nan, np.inf
    return points


def turned_camera():
    return np.array([[0.0, 1, 0, 0], [0, 0, -1, 0], [-1.0, 0, 0, 0]])


def put(objects, field, row, value):
    getattr(objects, field)[row] = value


def name_row(objects, row, name):
    objects.names[row] = name


DEFECTS = {
    'no cloud': ('missing file', lambda f: f.cloud(BAD).unlink()),
    'no label': ('missing file', lambda f: f.label(BAD).unlink()),
    'no calibration': ('missing file', lambda f: f.calibration(BAD).unlink()),
    'truncated cloud': ('bad cloud', lambda f: f.cloud(BAD).write_bytes(f.cloud(BAD).read_bytes()[:-3])),
    'empty cloud': ('empty cloud', lambda f: f.cloud(BAD).write_bytes(b'')),
    'NaN points': ('NaN points', lambda f: change_points(f, some_nan)),
    'all NaN': ('empty cloud', lambda f: change_points(f, lambda points: points * np.nan)),
    'behind': ('wrong frame', lambda f: change_points(f, lambda points: points * np.float32([-1, 1, 1, 1]))),
    'camera axes': ('wrong frame', lambda f: change_points(f, lambda points: points[:, [1, 2, 0, 3]])),
    'y up': ('wrong frame', lambda f: change_points(f, lambda points: points[:, [0, 2, 1, 3]])),
    'millimetres': ('wrong frame', lambda f: change_points(f, lambda points: points * np.float32([1e3, 1e3, 1e3, 1]))),
    'kilometres': ('wrong frame', lambda f: change_points(f, lambda points: points * np.float32([1e-3] * 3 + [1]))),
    'ground at 0': ('wrong frame', lambda f: change_points(f, lambda points: points + np.float32([0, 0, 1.73, 0]))),
    'reflectance 0..255': ('odd reflectance', lambda f: change_points(f, lambda p: p * np.float32([1, 1, 1, 255]))),
    'calibration without P2': (
        'bad calibration',
        lambda f: f.calibration(BAD).write_text('R0_rect: 1 0 0 0 1 0 0 0 1'),
    ),
    'no rotation': ('bad calibration', lambda f: change_calibration(f, rectification=np.eye(3) * 2)),
    'mirrored': ('bad calibration', lambda f: change_calibration(f, rectification=np.diag([-1.0, 1, 1]))),
    'looks back': ('bad calibration', lambda f: change_calibration(f, lidar_to_reference=turned_camera())),
    'negative focal length': ('bad calibration', lambda f: change_calibration(f, projection=-CALIBRATION.projection)),
    'short row': ('bad label', lambda f: f.label(BAD).write_text('Car 0 0\n')),
    'NaN box': ('bad label', lambda f: change_label(f, lambda o: put(o, 'location', 0, np.nan))),
    'NaN 2D box': ('bad label', lambda f: change_label(f, lambda o: put(o, 'boxes_2d', 0, np.nan))),
    'negative size': ('bad label', lambda f: change_label(f, lambda o: put(o, 'dimensions', 0, -1.0))),
    'unknown class': ('unknown class', lambda f: change_label(f, lambda o: name_row(o, 0, 'Spaceship'))),
    'zero 2D box': ('zero 2D box', lambda f: change_label(f, lambda o: put(o, 'boxes_2d', 0, 0.0))),
    'upside-down 2D box': ('zero 2D box', lambda f: change_label(f, lambda o: put(o, 'boxes_2d', 1, [9, 9, 5, 5]))),
    'box in the air': ('box without points', lambda f: change_label(f, lambda o: put(o, 'location', (0, 1), -9.0))),
    'box beside the car': (
        'only ground in a box',
        lambda f: change_label(f, lambda o: put(o, 'location', (0, slice(0, 2)), [6.0, 1.7])),
    ),
    '2D box elsewhere': (
        'image/LiDAR mismatch',
        lambda f: change_label(f, lambda o: put(o, 'boxes_2d', 0, o.boxes_2d[0] + [300, 0, 300, 0])),
    ),
    'image of another size': ('image/LiDAR mismatch', lambda f: f.image(BAD).write_bytes(png(600, 200))),
    'calibration of another camera': (
        'image/LiDAR mismatch',
        lambda f: change_calibration(f, projection=CALIBRATION.projection * [[0.5], [0.5], [1.0]]),
    ),
    'no image': ('bad image', lambda f: f.image(BAD).write_bytes(b'no png')),
    'truncated image': ('bad image', lambda f: f.image(BAD).write_bytes(f.image(BAD).read_bytes()[:300])),
}


@pytest.mark.parametrize('defect', DEFECTS)
def test_each_defect_is_named(root, defect):
    kind, spoil = DEFECTS[defect]
    spoil(KittiFolder(root))
    report = check_root(root)
    found = kinds(report)
    assert set(found) == {BAD}
    assert kind in found[BAD]
    assert report.broken() == ([BAD] if KINDS[kind] else [])
    assert f'{BAD}  ' in describe(report)
    json.dumps(report.as_json(), allow_nan=False)


def test_every_kind_has_a_test():
    assert {kind for kind, _ in DEFECTS.values()} | {'bad list', 'far box without points'} == set(KINDS)


@pytest.mark.parametrize('change', ['far', 'hidden', 'cut off'])
def test_a_box_that_may_be_empty_is_only_worth_a_look(root, change):
    def spoil(objects):
        objects.location[0, 1] = -9.0  # in the air
        if change == 'far':
            objects.location[0, 2] = 60.0
        elif change == 'hidden':
            objects.occlusion[0] = 3
        else:
            objects.truncation[0] = 0.95

    change_label(KittiFolder(root), spoil)
    report = check_root(root)
    assert kinds(report) == {BAD: {'far box without points'}}
    assert report.ok()


def test_a_frame_without_objects_or_image_is_fine(root):
    folder = KittiFolder(root)
    write_objects(folder.label(BAD), KittiObjects())
    folder.image(BAD).unlink()
    report = check_root(root)
    assert report.ok()
    text = describe(report)
    assert '1 without image' in text
    assert '1 without object' in text


def test_own_classes(root):
    write_objects(KittiFolder(root).label(BAD), labels(('Boat', 'Pedestrian')))
    assert not check_root(root).ok()
    assert check_root(root, classes=['Boat']).ok()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('000000\n000000\n', '1 frames come twice'),
        ('000002\n', '1 frames are in both train and val'),
        ('no frame\n', "'no frame' is no frame"),
    ],
)
def test_broken_lists(root, content, message):
    (root / 'ImageSets' / 'train.txt').write_text(content)
    report = check_root(root)
    assert not report.ok()
    assert message in describe(report)


def test_frames_of_a_list_without_files_and_files_in_no_list(root):
    (root / 'ImageSets' / 'train.txt').write_text('000000\n000077\n')
    report = check_root(root)
    assert report.broken() == ['000077']
    assert report.unlisted == 1
    assert '1 in no list' in describe(report)


def test_lists_may_be_chosen(root):
    KittiFolder(root).cloud(BAD).unlink()
    assert check_root(root, lists=['val']).ok()
    assert not check_root(root, lists=['val', 'train']).ok()
    with pytest.raises(DataError, match="did you mean 'train'"):
        check_root(root, lists=['trian'])


def test_without_lists_every_frame_is_checked(root):
    for path in (root / 'ImageSets').iterdir():
        path.unlink()
    KittiFolder(root).cloud(BAD).unlink()
    report = check_root(root)
    assert len(report.frames) == 3
    assert report.broken() == [BAD]


def test_the_testing_half_needs_no_labels(root):
    write_frame(root, '000000', half='testing')
    (root / 'ImageSets' / 'test.txt').write_text('000000\n000005\n')
    report = check_root(root)
    assert report.broken() == ['testing/000005']


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match='no data in KITTI layout'):
        check_root(tmp_path / 'nowhere')


def test_jobs_change_nothing(root):
    KittiFolder(root).cloud(BAD).unlink()
    assert check_root(root, jobs=2).as_json() == check_root(root).as_json()


def test_only_the_first_frames_of_a_problem_are_shown(tmp_path):
    root = write_root(tmp_path, train=1, val=0)
    frames = [f'{number:06d}' for number in range(SHOWN_FRAMES + 3)]
    (root / 'ImageSets' / 'train.txt').write_text('\n'.join(frames))
    text = describe(check_root(root))
    assert 'missing file: 12 frames (broken)' in text
    assert text.count(' is missing') == SHOWN_FRAMES
    assert f'... and {3 * (len(frames) - 1) - SHOWN_FRAMES} more' in text


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(['cloud', 'label', 'calibration', 'image']), st.data())
def test_whatever_the_bytes_there_is_no_traceback(tmp_path, part, data):
    folder = write_frame(tmp_path)
    path = getattr(folder, part)('000000')
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 200))] = data.draw(st.binary(max_size=64))
    else:
        content = bytearray(data.draw(st.binary(max_size=200)))
    path.write_bytes(content)
    report = check_root(tmp_path)
    assert describe(report)
    json.dumps(report.as_json(), allow_nan=False)


def test_numbers_of_a_class(root):
    numbers = check_root(root).as_json()['classes']['Car']
    assert numbers['objects'] == numbers['hard'] == 3
    assert numbers['objects_by_distance'] == [0, 3, 0, 0, 0, 0, 0]
    assert numbers['median_points_by_distance'][1] >= 200
    assert len(BOXES) == 2


@pytest.mark.data
@pytest.mark.long
@pytest.mark.parametrize('name', ['kitti', 'astyx'])
def test_real_frames_are_fine(shared, name):
    lists = {'kitti': ['mini_train', 'mini_val'], 'astyx': ['val']}[name]
    report = check_root(shared / 'data' / name, lists=lists)
    assert report.ok(), describe(report)
    assert set(report.by_kind()) <= {'far box without points', 'only ground in a box'}
