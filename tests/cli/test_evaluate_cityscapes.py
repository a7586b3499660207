"""`pointkd evaluate cityscapes`: what is printed and written, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.cityscapes_sets import unpack, worst_difference, write_pair

from pointkd.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    return unpack(golden / 'cityscapes_eval' / 'class_missing', tmp_path)


def evaluate(folder: Path, *arguments: str) -> int:
    folders = ['--labels', str(folder / 'labels'), '--results', str(folder / 'results')]
    return main(['evaluate', 'cityscapes', *folders, *arguments])


def test_table_and_file(folder: Path, golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / 'new' / 'iou.json'
    assert evaluate(folder, '--out', str(out)) == 0
    printed = capsys.readouterr().out
    expected = json.loads((golden / 'cityscapes_eval' / 'class_missing' / 'expected.json').read_text())
    assert worst_difference(json.loads(out.read_text()), expected) < 1e-9
    assert 'evaluation of 8 images' in printed
    assert 'neither labelled nor predicted, left out of means: train' in printed
    rows = {line[:16].strip(): line[16:].split() for line in printed.splitlines()}
    assert rows['car'][:2] == ['54.76', '69.49']
    assert rows['bus'] == ['0.00', '0.00', '-', '0.00']
    assert rows['road'][1] == '-'
    assert rows['vehicle'] == ['82.05']
    assert 'mAcc 80.76, aAcc 91.60' in printed
    assert 'mIoU in trimaps: 1 px 43.65' in printed
    assert [path.name for path in out.parent.iterdir()] == ['iou.json']


def test_without_boundary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / 'iou.json'
    assert evaluate(folder, '--no-boundary', '--jobs', '1', '--out', str(out)) == 0
    assert 'trimap' not in capsys.readouterr().out
    assert 'boundary' not in json.loads(out.read_text())


def test_what_is_undefined_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    void = np.zeros((4, 4), np.uint8)
    write_pair(tmp_path, 'a_0_0', void, void)
    assert evaluate(tmp_path, '--out', str(tmp_path / 'iou.json')) == 0
    assert 'no pixel has an evaluated label' in capsys.readouterr().out
    assert json.loads((tmp_path / 'iou.json').read_text())['mIoU'] is None
    write_pair(tmp_path, 'a_0_0', void + np.uint8(7), void + np.uint8(7))
    assert evaluate(tmp_path) == 0
    assert 'no instances' in capsys.readouterr().out


def test_bad_files_leave_the_old_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / 'iou.json'
    out.write_text('old')
    path = next((folder / 'results').rglob('*.png'))
    path.write_bytes(path.read_bytes()[:50])
    assert evaluate(folder, '--out', str(out)) == 2
    assert f'{path}: the PNG image is damaged' in capsys.readouterr().err
    assert out.read_text() == 'old'


def test_wrong_jobs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder, '--jobs', '0') == 2
    assert '--jobs 0: expected at least 1' in capsys.readouterr().err


def test_script_starts_without_the_training_stack(folder: Path) -> None:
    script = REPOSITORY / 'tools' / 'evaluate.py'
    folders = ['--labels', str(folder / 'labels'), '--results', str(folder / 'results')]
    command = [sys.executable, '-X', 'importtime', str(script), 'cityscapes', *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines() if line.startswith('import time')}
    assert 'PIL.Image' in imported
    assert not imported & {'torch', 'mmengine', 'mmcv', 'mmseg', 'cv2', 'matplotlib'}
