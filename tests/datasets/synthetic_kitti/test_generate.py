import hashlib
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from pointkd.core.boxes import camera_to_lidar_boxes, points_in_box
from pointkd.core.errors import ConfigError, StorageError
from pointkd.core.kitti import read_calibration, read_frame_list, read_objects, read_points
from pointkd.datasets.kitti_check import check_root
from pointkd.datasets.kitti_check_report import describe
from pointkd.datasets.kitti_folder import IGNORED, KittiFolder, in_image, png_size
from pointkd.datasets.kitti_prepare import prepare
from pointkd.datasets.synthetic_kitti import SceneSettings, generate
from pointkd.datasets.synthetic_kitti.camera import HEIGHT, WIDTH

SMALL = dict(seed=3, range_m=45.0)


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def frames(root):
    folder = KittiFolder(root)
    for frame in read_frame_list(folder.list_path('trainval')):
        calibration = read_calibration(folder.calibration(frame))
        yield frame, read_points(folder.cloud(frame)), read_objects(folder.label(frame)), calibration


def test_layout(scenes):
    folder = KittiFolder(scenes)
    train, val = (read_frame_list(folder.list_path(part)) for part in ('train', 'val'))
    assert len(train) == 8
    assert len(val) == 2
    assert sorted(train + val) == read_frame_list(folder.list_path('trainval')) == [f'{n:06d}' for n in range(10)]
    assert png_size(folder.image('000000')) == (WIDTH, HEIGHT)
    assert not [path for path in scenes.rglob('*') if path.name.endswith('.tmp')]


def test_passes_our_check_without_a_word(scenes):
    report = check_root(scenes)
    assert report.ok(), describe(report)
    assert report.by_kind() == {}


def test_every_labelled_box_holds_points_or_is_hidden(scenes):
    count = 0
    for frame, points, objects, calibration in frames(scenes):
        boxes = camera_to_lidar_boxes(
            objects.location, objects.dimensions, objects.rotation_y, calibration.lidar_to_camera
        )
        for row, box in enumerate(boxes):
            if objects.names[row] == IGNORED:
                continue
            count += 1
            assert points_in_box(points, box, 0.01).any() or objects.occlusion[row] == 3, frame
    assert count > 20


def test_points_of_an_object_fall_into_its_2d_box(scenes):
    for frame, points, objects, calibration in frames(scenes):
        seen = points[in_image(points, calibration, (WIDTH, HEIGHT))]
        matrix = calibration.lidar_to_camera
        boxes = camera_to_lidar_boxes(objects.location, objects.dimensions, objects.rotation_y, matrix)
        for row, box in enumerate(boxes):
            own = seen[points_in_box(seen, box)]
            if objects.names[row] == IGNORED or len(own) < 5:
                continue
            pixels, _ = calibration.project(own[:, :3] @ matrix[:3, :3].T + matrix[:3, 3])
            inside = (pixels > objects.boxes_2d[row, :2] - 3) & (pixels < objects.boxes_2d[row, 2:] + 3)
            assert inside.all(axis=1).mean() > 0.8, frame


def test_labels_are_plausible(scenes):
    for _, _, objects, _ in frames(scenes):
        assert set(objects.names) <= {'Car', 'Van', 'Pedestrian', 'Cyclist', IGNORED}
        cared = np.array([name != IGNORED for name in objects.names], dtype=bool)
        assert ((objects.truncation[cared] >= 0) & (objects.truncation[cared] <= 0.95)).all()
        assert set(objects.occlusion[cared]) <= {0, 1, 2, 3}
        assert (objects.boxes_2d >= 0).all()
        assert (objects.boxes_2d <= [WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1]).all()
        distance = np.hypot(objects.location[cared, 0], objects.location[cared, 2])
        assert (distance < 46).all()
        assert (np.diff(np.array(cared, dtype=int)) <= 0).all()  # DontCare comes last


def test_points_are_ahead_and_finite(scenes):
    for _, points, _, _ in frames(scenes):
        assert np.isfinite(points).all()
        assert (points[:, 0] > 0).all()
        assert 4000 < len(points) < 40000


@pytest.mark.long
def test_same_bytes_again_whatever_the_jobs(scenes, tmp_path):
    generate(SceneSettings(scenes=4, jobs=2, **SMALL), tmp_path)
    again, first = digests(tmp_path), digests(scenes)
    for name in again:
        if name.startswith('training'):
            assert again[name] == first[name], name


def test_another_seed_gives_another_scene(scenes, tmp_path):
    generate(SceneSettings(scenes=1, jobs=1, seed=4, range_m=45.0), tmp_path)
    assert (tmp_path / 'training' / 'velodyne' / '000000.bin').read_bytes() != (
        scenes / 'training' / 'velodyne' / '000000.bin'
    ).read_bytes()


@pytest.mark.parametrize('beams', [32, 16])
def test_fewer_beams_give_fewer_points(scenes, tmp_path, beams):
    generate(SceneSettings(scenes=2, jobs=1, beams=beams, **SMALL), tmp_path)
    folder, full = KittiFolder(tmp_path), KittiFolder(scenes)
    assert len(read_points(folder.cloud('000000'))) < 0.7 * len(read_points(full.cloud('000000')))
    assert check_root(tmp_path).ok()


def test_finished_scenes_are_kept_and_the_rest_is_made(scenes, tmp_path):
    settings = SceneSettings(scenes=3, jobs=1, **SMALL)
    generate(settings, tmp_path)
    before = digests(tmp_path)
    (tmp_path / 'training' / 'label_2' / '000001.txt').unlink()
    calls = []
    assert generate(settings, tmp_path, lambda done, total: calls.append((done, total))) == 1
    assert calls == [(0, 1), (1, 1)]
    assert digests(tmp_path) == before
    assert generate(SceneSettings(scenes=4, jobs=1, **SMALL), tmp_path) == 1


def test_a_folder_keeps_to_one_recipe(tmp_path):
    generate(SceneSettings(scenes=1, jobs=1, **SMALL), tmp_path)
    with pytest.raises(ConfigError, match=r'holds scenes made with .*: choose another --out'):
        generate(SceneSettings(scenes=1, jobs=1, seed=9), tmp_path)
    (tmp_path / 'synthetic.json').write_text('{')
    with pytest.raises(ConfigError, match='is not JSON'):
        generate(SceneSettings(scenes=1, jobs=1, **SMALL), tmp_path)
    (tmp_path / 'synthetic.json').write_text(json.dumps([1]))
    with pytest.raises(ConfigError):
        generate(SceneSettings(scenes=1, jobs=1, **SMALL), tmp_path)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr('pointkd.core.files.os.fsync', full)
    with pytest.raises(StorageError, match='the disk is full'):
        generate(SceneSettings(scenes=1, jobs=1), tmp_path)
    assert not [path for path in tmp_path.rglob('*') if path.is_file()]


@pytest.mark.long
def test_killed_at_any_moment_it_goes_on(scenes, tmp_path):
    """A process killed without warning leaves whole files only; the next run makes what is missing."""
    settings = SceneSettings(scenes=6, jobs=1, **SMALL)
    for wait in (0.0, 0.13):
        process = multiprocessing.get_context('spawn').Process(target=generate, args=(settings, tmp_path))
        process.start()
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob('*.bin')) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    (tmp_path / 'training' / 'velodyne' / '.000005.bin.1.tmp').write_bytes(b'half')
    generate(settings, tmp_path)
    made = {name: digest for name, digest in digests(tmp_path).items() if name.startswith('training/')}
    assert made == {name: digest for name, digest in digests(scenes).items() if name in made}
    assert len(made) == 24


def test_database_of_synthetic_scenes(scenes, tmp_path):
    summary = prepare(scenes, tmp_path)
    assert summary.frames == {'train': 8, 'val': 2}
    assert summary.sized == 0
    assert summary.database['Car'] > 5
