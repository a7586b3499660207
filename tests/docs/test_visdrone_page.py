"""The page about VisDrone works as it stands, on made-up images."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from helpers.visdrone_frames import write_root

from pointkd.cli.main import main

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'data' / 'visdrone.md'
SHORT = ['train_cfg.max_epochs=1', 'train_dataloader.num_workers=0', 'train_dataloader.batch_size=3']
SMALL = [
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.persistent_workers=False',
]


@pytest.mark.long
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, code in re.findall(r'<!-- file: (\S+) -->\n```python\n(.*?)```', PAGE.read_text(), re.DOTALL):
        Path(name).write_text(code)
    root = write_root(tmp_path / 'data' / 'visdrone')
    assert main(['check-data', 'visdrone', str(root), '--jobs', '1']) == 0
    assert main(['create-data', 'visdrone', '--root', str(root), '--slice', '64', '--jobs', '1']) == 0
    options = [*SHORT, *SMALL, 'train_dataloader.persistent_workers=False']
    assert not main(['train', 'retinanet_visdrone.py', '--work-dir', 'run', '--no-pretrained', '--cfg-options', *options])
    results = tmp_path / 'results'
    sliced = ['model.tile=64', 'model.detector.test_cfg.score_thr=0.0', f'+test_evaluator.outfile_prefix={results}']
    assert not main(['test', 'retinanet_visdrone_sliced.py', 'run/last.pth', '--work-dir', 'test', '--no-pretrained', '--cfg-options', *SMALL, *sliced])
    metrics = json.loads((tmp_path / 'test' / 'metrics.json').read_text())
    labels, images = (str(root / 'VisDrone2019-DET-val' / name) for name in ('annotations', 'images'))
    arguments = ['--labels', labels, '--results', str(results), '--images', images, '--out', 'ap.json']
    assert main(['evaluate', 'visdrone', *arguments]) == 0
    assert json.loads(Path('ap.json').read_text())['AR500'] == metrics['visdrone/AR500']
    assert len((results / 'd.txt').read_text().splitlines()) > 0
    shutil.rmtree('run')
