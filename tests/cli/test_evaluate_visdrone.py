"""`pointkd evaluate visdrone`: what is printed and written, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.visdrone_sets import row, write, write_sizes

from pointkd.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = row(x=60, y=40, w=20, h=20, score=0, category=0)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Arguments for two cars found, one with a false detection before it, and a pedestrian without a result file."""
    write(tmp_path / 'labels', a=row(), b=row(), c=row(category=1) + REGION)
    write(tmp_path / 'results', a=row(score=0.5, result=True), b=row(x=30, score=0.9) + row(score=0.8), z='')
    return ['--labels', str(tmp_path / 'labels'), '--results', str(tmp_path / 'results')]


def evaluate(*arguments: str) -> int:
    return main(['evaluate', 'visdrone', *arguments])


def test_table_and_file(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, sizes = tmp_path / 'new' / 'ap.json', write_sizes(tmp_path / 'sizes.json', 'c')
    assert evaluate(*folders, '--sizes', str(sizes), '--out', str(out)) == 0
    printed = capsys.readouterr().out
    assert 'VisDrone-DET evaluation of 3 images: 3 labels, 3 detections' in printed
    assert '1 result files are missing' in printed
    assert '1 result files belong to no label file' in printed
    # Cars: wrong, right, right; precision 2/3 at both. They weigh 2, the missed pedestrian 1.
    line = next(line for line in printed.splitlines() if line.startswith('car'))
    assert line.split() == ['car', '66.67', '66.67', '66.67', '50.00', '100.00', '100.00', '100.00', '2']
    line = next(line for line in printed.splitlines() if line.startswith('official'))
    assert line.split()[:5] == ['official', '44.44', '44.44', '44.44', '33.33']
    assert '-: undefined' in printed
    report = json.loads(out.read_text())
    assert report['AP'] == pytest.approx(400 / 9)
    assert report['classes']['bus']['AP'] is None
    assert report['sizes']['small']['AP50'] == pytest.approx(400 / 9)
    assert [path.name for path in out.parent.iterdir()] == ['ap.json']


def test_bad_files_leave_the_old_report(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'ap.json'
    out.write_text('old')
    write(tmp_path / 'results', a='1,2,3\n')
    assert evaluate(*folders, '--out', str(out)) == 2
    assert 'a.txt:1: expected 6 columns or more, got 3' in capsys.readouterr().err
    assert out.read_text() == 'old'


def test_sizes_are_asked_for(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(*folders) == 2
    assert 'c.txt: has ignored regions' in capsys.readouterr().err


def test_sizes_come_from_one_place(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        evaluate(*folders, '--sizes', 'a.json', '--images', 'b')
    assert stop.value.code == 2
    assert 'not allowed with' in capsys.readouterr().err


def test_script_starts_without_the_training_stack(folders: list[str], tmp_path: Path) -> None:
    script, out = REPOSITORY / 'tools' / 'evaluate.py', tmp_path / 'ap.json'
    sizes = ['--sizes', str(write_sizes(tmp_path / 'sizes.json', 'c'))]
    command = [sys.executable, '-X', 'importtime', str(script), 'visdrone', *folders, *sizes, '--out', str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines() if line.startswith('import time')}
    assert 'numba' in imported
    assert not imported & {'torch', 'mmengine', 'mmcv', 'mmdet3d', 'open3d', 'cv2', 'matplotlib'}
    assert out.exists()
