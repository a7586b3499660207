"""`pointkd create-data` and `check-data` for Cityscapes and CamVid: what is printed, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.small_segmentation import write_camvid, write_cityscapes

from pointkd.cli.main import main


def test_cityscapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(write_cityscapes(tmp_path))
    assert main(['check-data', 'cityscapes', root, '--jobs', '1']) == 0
    assert 'missing train ids: 3 images (worth a look)' in capsys.readouterr().out
    assert main(['create-data', 'cityscapes', '--root', root, '--jobs', '1']) == 0
    assert '2 train, 1 val images' in capsys.readouterr().out
    assert main(['check-data', 'cityscapes', root, '--jobs', '1', '--splits', 'val', '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report['images'], report['problems'], report['ok']) == ({'val': 1}, {}, True)


def test_camvid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_camvid(tmp_path / 'root'), tmp_path / 'out'
    assert main(['create-data', 'camvid', '--root', str(root), '--out', str(out), '--jobs', '1']) == 0
    assert '2 train, 1 val, 1 test images' in capsys.readouterr().out
    (root / 'trainannot' / 'train_0001.png').write_bytes(b'')
    assert main(['check-data', 'camvid', str(root), '--jobs', '1']) == 1
    printed = capsys.readouterr().out
    assert 'bad label: 1 images (broken)' in printed
    assert 'train_0001.png: is not a PNG image' in printed
    assert '1 of 4 images are broken.' in printed
    assert main(['create-data', 'camvid', '--root', str(root), '--out', str(out), '--jobs', '1']) == 2
    assert 'pointkd create-data: ' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['cityscapes', 'camvid'])
def test_no_data(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['check-data', name, str(tmp_path)]) == 2
    assert 'no data in' in capsys.readouterr().err
    assert main(['create-data', name, '--root', str(tmp_path), '--out', str(tmp_path / 'out')]) == 2
    assert 'no data in' in capsys.readouterr().err
