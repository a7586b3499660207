"""The demo: its clock, its curves, its report, and once the whole way in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.calibration import camera

from pointkd.cli.main import main
from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.core.kitti import KittiObjects, write_calibration, write_objects, write_points
from pointkd.report.demo.pictures import draw_scene, inside, lidar_boxes, richest_scenes
from pointkd.report.demo.progress import Timeline, minutes
from pointkd.report.demo.settings import NETS, DemoSettings
from pointkd.report.demo.steps import loss_curve, prepare_teacher
from pointkd.runtime.detections import Detections
from pointkd.runtime.kitti import to_kitti

EXTENT = (0.0, -20.0, 40.0, 20.0)


def test_time_left_follows_the_pace_of_what_is_done():
    seconds = iter([0.0, 0.0, 20.0, 20.0])
    lines: list[str] = []
    timeline = Timeline({'data': 10, 'train': 100, 'report': 20}, lines.append, lambda: next(seconds))
    assert timeline.left() == 130
    with timeline.step('data', 'scenes'):
        pass
    assert lines == ['[1/3] scenes (about 2 min left)']
    assert timeline.left() == 240  # twice as slow as nominal
    assert minutes(89) == '89 s'


def test_a_step_that_fails_is_not_done():
    timeline = Timeline({'data': 10}, lambda line: None)
    with pytest.raises(ConfigError), timeline.step('data', 'scenes'):
        raise ConfigError('no')
    assert timeline.done == {}


def test_loss_curve_sums_the_detection_losses_and_the_later_run_counts(tmp_path: Path):
    for run, shift in (('20260101_000000', 0.0), ('20260102_000000', 10.0)):
        folder = tmp_path / run / 'vis_data'
        folder.mkdir(parents=True)
        lines = [
            json.dumps(
                {'step': step, 'loss_cls': 1.0 + shift, 'loss_bbox': 2.0, 'loss_dir': 0.5, 'loss_local_graph': 9}
            )
            for step in (10, 20)
        ]
        (folder / 'scalars.json').write_text('\n'.join([*lines, json.dumps({'AP': 3.0, 'step': 20})]))
    assert loss_curve(tmp_path) == [(10.0, 13.5), (20.0, 13.5)]
    assert loss_curve(tmp_path / 'none') == []


def test_missing_teacher_names_the_way_out(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(DemoSettings, 'teacher_weights', tmp_path / 'teacher.pth')
    with pytest.raises(CheckpointError, match='--train-teacher'):
        prepare_teacher(DemoSettings(tmp_path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A `training` folder of three frames with 0, 2 and 1 cars."""
    folder = tmp_path / 'training'
    for frame, count in (('000000', 0), ('000001', 2), ('000002', 1)):
        boxes = np.array([[10.0 + 8 * number, 1.0, -1.7, 4.0, 1.7, 1.5, 0.3] for number in range(count)]).reshape(-1, 7)
        cars = to_kitti(Detections(boxes, np.ones(count), np.zeros(count, dtype=np.int64), ('Car',)), camera())
        cars.scores = None
        write_objects(folder / 'label_2' / f'{frame}.txt', cars if count else KittiObjects())
        write_calibration(folder / 'calib' / f'{frame}.txt', camera())
        write_points(folder / 'velodyne' / f'{frame}.bin', np.random.default_rng(0).uniform(0, 20, (50, 4)))
    return folder


def test_pictures_of_the_richest_scenes(data: Path, tmp_path: Path):
    assert richest_scenes(data, ['000000', '000001', '000002'], EXTENT, 2) == ['000001', '000002']
    boxes = lidar_boxes(data / 'label_2' / '000001.txt', data / 'calib' / '000001.txt')
    np.testing.assert_allclose(boxes[:, 0], [10.0, 18.0], atol=1e-3)
    assert inside(boxes, (0, -5, 15, 5)).tolist() == [True, False]
    assert lidar_boxes(data / 'none.txt', data / 'calib' / '000001.txt').shape == (0, 7)
    draw_scene(tmp_path / 'scene.png', data, '000001', {'student': data / 'label_2'}, EXTENT)
    assert (tmp_path / 'scene.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize('option', ['--scenes', '--iterations'])
def test_too_small_a_demo_is_refused(option: str, capsys):
    assert main(['demo', option, '1']) == 2
    assert f'{option} 1: at least 8' in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_way(tmp_path: Path):
    folder = tmp_path / 'demo'
    sizes = ['--scenes', '12', '--iterations', '8', '--train-teacher', '--teacher-iterations', '8', '--amp', 'off']
    assert main(['demo', '--work-dir', str(folder), *sizes]) == 0
    results = json.loads((folder / 'results.json').read_text())
    assert set(results) == {*NETS, 'parity', 'seconds'}
    for name in NETS:
        assert {'ap', 'params', 'macs', 'latency_ms'} <= set(results[name])
        assert set(results[name]['ap']) >= {'Car', 'Pedestrian', 'Cyclist', 'mAP', 'missing_files'}
        assert results[name]['ap']['missing_files'] == 0
    assert results['parity']['max_box_m'] <= 1e-3
    assert results['parity']['max_score'] <= 1e-3
    assert results['distilled']['params'] * 3.5 < results['teacher']['params']
    from pointkd.io.build import build_model
    from pointkd.io.config import load_config

    for name in NETS:
        build_model(load_config(folder / name / 'config.py'), folder / name / 'last.pth')  # strictly
    page = (folder / 'report.html').read_text()
    assert '://' not in page
    assert page.count('<img') == 4
    assert (folder / 'export' / 'model.onnx').is_file()
