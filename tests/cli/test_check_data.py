"""`pointkd check-data`: exit code, text, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.kitti_frames import write_root

from pointkd.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_root(tmp_path)


def check(*arguments: str) -> int:
    return main(['check-data', 'kitti', *arguments, '--jobs', '1'])


def test_good_data(root: Path, capsys: pytest.CaptureFixture[str]):
    assert check(str(root)) == 0
    assert 'Nothing is broken.' in capsys.readouterr().out


def test_a_broken_frame(root: Path, capsys: pytest.CaptureFixture[str]):
    (root / 'training' / 'velodyne' / '000001.bin').write_bytes(b'')
    assert check(str(root)) == 1
    text = capsys.readouterr().out
    assert 'empty cloud: 1 frames (broken)' in text
    assert '1 of 3 frames are broken.' in text


def test_json(root: Path, capsys: pytest.CaptureFixture[str]):
    (root / 'training' / 'calib' / '000002.txt').unlink()
    assert check(str(root), '--json') == 1
    report = json.loads(capsys.readouterr().out)
    assert report['broken_frames'] == ['000002']
    assert report['problems']['missing file']['entries'][0]['frame'] == '000002'
    assert report['classes']['Car']['objects'] == 2


def test_chosen_lists(root: Path):
    (root / 'training' / 'calib' / '000002.txt').unlink()
    assert check(str(root), '--lists', 'train') == 0


def test_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert check(str(tmp_path / 'nowhere')) == 2
    assert 'no data in KITTI layout' in capsys.readouterr().err


def test_as_a_script(root: Path):
    command = [sys.executable, 'tools/check_data.py', 'kitti', str(root), '--jobs', '1']
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'frames checked: 3 of 3' in done.stderr
