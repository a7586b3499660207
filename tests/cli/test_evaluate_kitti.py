"""`pointkd evaluate kitti`: what is printed and written, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pointkd.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
CAR = '{name} {ends} 0.1 {x} 100 {x2} 160 1.5 1.6 4 {x} 1.7 20 0.3'


def rows(count: int, scored: bool) -> str:
    lines = [
        CAR.format(name='Car', ends='-1 -1' if scored else '0 0', x=100 * place, x2=100 * place + 60)
        + (f' {0.5 + place / 1000}' if scored else '')
        for place in range(count)
    ]
    return '\n'.join(lines) + '\n'


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Arguments for 80 cars found in one frame, and ten missed in another that has no result file."""
    for name in ('labels', 'results'):
        (tmp_path / name).mkdir()
    (tmp_path / 'labels' / '000000.txt').write_text(rows(80, scored=False))
    (tmp_path / 'labels' / '000001.txt').write_text(rows(10, scored=False))
    (tmp_path / 'results' / '000000.txt').write_text(rows(80, scored=True))
    return ['--labels', str(tmp_path / 'labels'), '--results', str(tmp_path / 'results')]


def evaluate(*arguments: str) -> int:
    return main(['evaluate', 'kitti', *arguments])


def test_table_and_file(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'new' / 'ap.json'
    assert evaluate(*folders, '--out', str(out)) == 0
    printed = capsys.readouterr().out
    assert 'evaluation of 2 frames' in printed
    assert '1 result files are missing: all objects of these frames count as missed' in printed
    assert 'Car 0.70; Pedestrian 0.50; Cyclist 0.50' in printed
    line = next(line for line in printed.splitlines() if line.startswith('Car         3D'))
    # Recall ends at 80/90, nearest to position 36 of 40: 36 of 40 entries are 1, and 10 of the 11 (0, 4, 8 ... 40).
    assert line.split()[2:] == ['90.00', '[90.00]', '90.00', '90.91', '[90.91]', '90.91']
    assert '[-]' in printed
    report = json.loads(out.read_text())
    assert report['missing_files'] == 1
    assert report['Car']['3d']['AP40'] == pytest.approx([90.0] * 3)
    assert report['Cyclist']['aos'] == {'AP11': [None] * 3, 'AP40': [None] * 3}
    assert set(report['mAP']) == {'bbox', 'bev', '3d', 'aos'}
    assert [path.name for path in out.parent.iterdir()] == ['ap.json']


def test_only_with_results(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(*folders, '--only-with-results') == 0
    printed = capsys.readouterr().out
    assert '1 result files are missing: these frames are left out' in printed
    assert '100.00' in printed


def test_frames(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = tmp_path / 'list.txt'
    frames.write_text('000000\n')
    assert evaluate(*folders, '--frames', str(frames)) == 0
    assert 'no result file is missing' in capsys.readouterr().out


def test_other_overlaps_stand_apart(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'ap.json'
    assert evaluate(*folders, '--overlap', 'Car:3d=0.5', '--overlap', 'Cyclist=0.25', '--out', str(out)) == 0
    printed = capsys.readouterr().out
    assert 'Not official: a match must overlap by more than Car 2D 0.70, BEV 0.70, 3D 0.50;' in printed
    report = json.loads(out.read_text())
    assert report['min_overlaps']['Car']['3d'] == 0.7
    other = report['not_official']
    assert (other['min_overlaps']['Car']['3d'], other['min_overlaps']['Cyclist']['bev']) == (0.5, 0.25)
    assert set(other) == {'Car', 'Pedestrian', 'Cyclist', 'mAP', 'min_overlaps'}


def test_what_was_left_aside_is_said(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'results' / '000001.txt').write_text('Car 0 0\n')
    (tmp_path / 'results' / '000009.txt').write_text('')
    assert evaluate(*folders) == 0
    printed = capsys.readouterr().out
    assert '1 result files belong to no label file: not read' in printed
    assert '1 rows of results have too few columns: dropped' in printed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--overlap', 'Car'], '--overlap Car: expected CLASS=VALUE'),
        (['--overlap', 'Cat=0.5'], "no class 'Cat'"),
        (['--overlap', 'Car:3D=0.5'], "no metric '3D', did you mean '3d'"),
        (['--frames', 'nowhere.txt'], 'nowhere.txt: can not be read'),
    ],
)
def test_wrong_arguments(
    arguments: list[str], message: str, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*folders, *arguments) == 2
    assert message in capsys.readouterr().err


def test_bad_files_leave_the_old_report(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'ap.json'
    out.write_text('old')
    (tmp_path / 'results' / '000001.txt').write_text(rows(1, scored=True).replace('1.5', 'wide'))
    assert evaluate(*folders, '--out', str(out)) == 2
    assert "000001.txt:1: every column after the class must be a finite number, got 'wide'" in capsys.readouterr().err
    assert out.read_text() == 'old'


def test_unknown_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(['evaluate', 'kity'])
    assert stop.value.code == 2
    assert 'kitti' in capsys.readouterr().err


def test_script_starts_without_the_training_stack(folders: list[str], tmp_path: Path) -> None:
    """The whole process, as the README calls it; torch or mm* would cost seconds."""
    script = REPOSITORY / 'tools' / 'evaluate.py'
    command = [sys.executable, '-X', 'importtime', str(script), 'kitti', *folders, '--out', str(tmp_path / 'ap.json')]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines() if line.startswith('import time')}
    assert 'numba' in imported
    assert not imported & {'torch', 'mmengine', 'mmcv', 'mmdet3d', 'open3d', 'cv2', 'matplotlib'}
    assert (tmp_path / 'ap.json').exists()
