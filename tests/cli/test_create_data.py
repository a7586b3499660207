"""`pointkd create-data`: what is printed and written, and how it fails and stops."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.kitti_frames import labels, write_frame, write_root

from pointkd.cli import _progress
from pointkd.cli._create_kitti import parse_splits
from pointkd.cli._progress import Progress
from pointkd.cli.main import main
from pointkd.core.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]


def create(*arguments: str) -> int:
    return main(['create-data', *arguments])


def test_help_names_the_data_sets(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        create('--help')
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert 'kitti' in text
    assert 'synthetic-kitti' in text


def test_kitti(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = write_root(tmp_path)
    write_frame(root, '000001', objects=labels(('Car', 'Ghost')), image=False)
    (root / 'training' / 'image_2' / '000001.png').unlink()
    assert create('kitti', '--root', str(root), '--jobs', '1') == 0
    text = capsys.readouterr().out
    assert 'info files of 2 train, 1 val frames' in text
    assert '2 Car' in text
    assert 'none of Cyclist, Van' in text
    assert '1 frames have no image: their image size was taken from the calibration' in text
    assert 'ignored, as their class is unknown: 1 Ghost (name it with --classes)' in text
    assert 'no list test' in text
    assert (root / 'kitti_dbinfos_train.pkl').is_file()


def test_kitti_with_other_lists_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = write_root(tmp_path / 'root')
    (root / 'ImageSets' / 'train.txt').rename(root / 'ImageSets' / 'mini.txt')
    out = tmp_path / 'out'
    arguments = ['kitti', '--root', str(root), '--out', str(out), '--jobs', '1', '--classes', 'Car']
    assert create(*arguments) == 2
    assert '--splits train=NAME' in capsys.readouterr().err
    assert create(*arguments, '--splits', 'train=mini') == 0
    assert (out / 'training' / 'velodyne_reduced' / '000000.bin').is_file()


def test_kitti_of_a_broken_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = write_root(tmp_path)
    (root / 'training' / 'velodyne' / '000001.bin').write_bytes(b'123')
    assert create('kitti', '--root', str(root), '--jobs', '1') == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('pointkd create-data: ')
    assert '000001.bin: 3 bytes are not a whole number of points' in error


@pytest.mark.parametrize(
    ('text', 'lists'),
    [('', {}), ('train=a,val=b', {'train': 'a', 'val': 'b'}), (' train = a.txt ,', {'train': 'a'})],
)
def test_splits(text, lists):
    assert parse_splits(text) == lists


@pytest.mark.parametrize('text', ['train', 'train=', '=a', 'train=a,b'])
def test_wrong_splits(text):
    with pytest.raises(ConfigError, match='expected PART=LIST'):
        parse_splits(text)


def test_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ['synthetic-kitti', '--scenes', '2', '--out', str(tmp_path), '--jobs', '1', '--range-m', '30']
    assert create(*arguments, '--val-share', '0.5') == 0
    assert '2 scenes made' in capsys.readouterr().out
    assert create(*arguments, '--val-share', '0.5') == 0
    assert '0 scenes made, 2 were there' in capsys.readouterr().out
    assert (tmp_path / 'ImageSets' / 'val.txt').read_text() == '000001\n'


@pytest.mark.parametrize('wrong', [['--scenes', '0'], ['--scenes', '1', '--range-m', '1000']])
def test_wrong_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]):
    assert create('synthetic-kitti', '--out', str(tmp_path), *wrong) == 2
    assert wrong[-2] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize('finished', [0, 3])
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(tmp_path: Path, finished: int):
    command = [sys.executable, 'tools/create_data.py', 'synthetic-kitti', '--out', str(tmp_path), '--jobs', '2']
    process = subprocess.Popen(
        [*command, '--scenes', '500'], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / 'synthetic.json').is_file():  # from here on processes start
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while len(list(tmp_path.glob('training/label_2/*.txt'))) < finished:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert 'pointkd create-data: interrupted' in error
    assert 'Traceback' not in error
    assert not [path for path in tmp_path.rglob('*') if path.name.endswith('.tmp')]
    made = len(list(tmp_path.glob('training/label_2/*.txt')))
    assert made < 500
    again = subprocess.run([*command, '--scenes', '3'], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert f'{max(3 - made, 0)} scenes made' in again.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal(monkeypatch):
    clock = iter([0.0, 1.0, 30.0, 100.0])
    monkeypatch.setattr(_progress.time, 'monotonic', lambda: next(clock))
    stream = Terminal()
    progress = Progress('scenes', stream)
    for done in (0, 30, 100):
        progress(done, 100)
    shown = stream.getvalue().split('\r\033[K')
    assert shown[1:] == ['scenes: 0 of 100', 'scenes: 30 of 100, 1 min 10 s left', 'scenes: 100 of 100, 1 min 40 s\n']


def test_progress_in_a_file_is_rare(monkeypatch):
    seconds = 0.0
    monkeypatch.setattr(_progress.time, 'monotonic', lambda: seconds)
    stream = io.StringIO()
    progress = Progress('scenes', stream)
    for done in range(101):
        seconds += 0.5
        progress(done, 100)
    assert 4 <= len(stream.getvalue().splitlines()) <= 8
    Progress('scenes', stream)(0, 0)
    assert stream.getvalue().endswith('100 of 100, 50 s\n')
