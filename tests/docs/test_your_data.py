"""The guide to your own data works as it stands, on a made-up warehouse."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from pointkd.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / 'docs' / 'your_data.md'
SHORT = ['epochs=1', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'train_dataloader.num_workers=0']
SMALL = [
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'param_scheduler.1.T_max=1',
    'model.test_cfg.score_thr=0.0',
]


def warehouse(module, root: Path, frames: int) -> None:
    """Write frames of a sensor 2.5 m above the floor, y forward: a floor, a forklift and a worker."""
    rng = np.random.default_rng(0)
    names = [f'{number:06d}' for number in range(frames)]
    for name in names:
        floor = np.column_stack([rng.uniform(-12, 12, 1500), rng.uniform(0, 25, 1500), np.full(1500, -2.5)])
        boxes = np.array(
            [
                [rng.uniform(-4, 4), rng.uniform(8, 14), -1.4, 3.6, 1.3, 2.2, rng.uniform(-3, 3)],
                [rng.uniform(-4, 4), rng.uniform(5, 8), -1.6, 0.7, 0.7, 1.8, 0.0],
            ]
        )
        inside = []
        for box in boxes:
            local = rng.uniform(-0.49, 0.49, (150, 3)) * box[3:6]
            cos, sin = np.cos(box[6]), np.sin(box[6])
            x, y = local[:, 0] * cos - local[:, 1] * sin, local[:, 0] * sin + local[:, 1] * cos
            inside.append(np.column_stack([x, y, local[:, 2]]) + box[:3])
        xyz = np.concatenate([floor, *inside])
        points = np.column_stack([xyz, rng.uniform(0, 255, len(xyz))])
        module.write_frame(root, name, points, boxes, ['Forklift', 'Worker'])
    (root / 'ImageSets').mkdir()
    (root / 'ImageSets' / 'train.txt').write_text('\n'.join(names[:-2]) + '\n')
    (root / 'ImageSets' / 'val.txt').write_text('\n'.join(names[-2:]) + '\n')


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's folder with the files of the guide and the template of the config."""
    files = dict(re.findall(r'<!-- file: (\S+) -->\n```python\n(.*?)```', GUIDE.read_text(), flags=re.DOTALL))
    assert set(files) == {'to_kitti.py', 'yours_distilled.py'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / 'configs' / 'pointpillars' / 'pointpillars_your-data.py', tmp_path / 'yours.py')
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location('to_kitti', tmp_path / 'to_kitti.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    warehouse(module, tmp_path / 'data' / 'yours', 6)
    yield tmp_path
    sys.modules.pop('to_kitti', None)


def run(*words: str) -> None:
    """Run a command as typed."""
    assert main([str(word) for word in words]) == 0, words


@pytest.mark.long
def test_the_guide_runs(project, capsys):
    data = project / 'data' / 'yours'
    run('check-data', 'kitti', data, '--classes', 'Forklift', 'Worker', '--jobs', '1')
    run('create-data', 'kitti', '--root', data, '--classes', 'Forklift', 'Worker', '--jobs', '1')
    options = ['--cfg-options', *SHORT[1:], *SMALL]
    run('train', 'yours.py', '--work-dir', 'work_dirs/yours', *options)
    run('test', 'yours.py', 'work_dirs/yours/last.pth', '--out', 'results', *options)
    labels, results = data / 'training' / 'label_2', project / 'results' / 'pred_instances_3d'
    own = ['--as', 'Forklift=Car', '--as', 'Worker=Pedestrian', '--frames', data / 'ImageSets' / 'val.txt']
    run('evaluate', 'kitti', '--labels', labels, '--results', results, '--out', 'ap.json', *own)
    report = json.loads((project / 'ap.json').read_text())
    assert report['objects'] == {'Car': 2, 'Pedestrian': 2, 'Cyclist': 0}
    assert report['detections']['Car'] > 0
    run('train', 'yours_distilled.py', '--work-dir', 'work_dirs/yours_distilled', *options)
    folder = project / 'work_dirs' / 'yours_distilled'
    clouds = data / 'training' / 'velodyne'
    run('export', folder / 'config.py', folder / 'last.pth', '--to', 'onnx', '--out', 'export', '--verify-data', clouds)
    run('predict', 'export', clouds / '000000.bin', '--out', 'boxes')
    assert list((project / 'boxes').glob('*.png'))
