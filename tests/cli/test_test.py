"""`pointkd test`: metrics of a checkpoint, and KITTI result files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.small_kitti import make_scenes, small_kitti
from helpers.toy import write_config

from pointkd.cli.main import main
from pointkd.cli.test import main_metrics, plain
from pointkd.core.kitti import read_objects
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config


@pytest.fixture
def toy(tmp_path: Path) -> tuple[str, str]:
    """Paths of the toy config and of random weights for it."""
    config = write_config(tmp_path)
    network = build_model(load_config(config))
    save_checkpoint(tmp_path / 'net.pth', {'state_dict': network.state_dict()})
    return str(config), str(tmp_path / 'net.pth')


def test_metrics_one_a_line(toy: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['test', *toy, '--work-dir', str(tmp_path / 'logs')]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'count: 4' in lines
    assert any(line.startswith('error: 0.') for line in lines)
    assert json.loads((tmp_path / 'logs' / 'metrics.json').read_text())['count'] == 4
    assert (tmp_path / 'logs').is_dir()


def test_wrong_weights_are_one_line(toy: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    config, weights = toy
    assert main(['test', config, weights, '--cfg-options', '+model.norm=False']) == 2
    assert 'does not belong to this ToyNet' in capsys.readouterr().err
    assert main(['test', config, weights[:-5] + '.pht']) == 2
    assert "no such checkpoint: did you mean 'net.pth'" in capsys.readouterr().err


def test_result_files_need_a_kitti_metric(
    toy: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['test', *toy, '--out', str(tmp_path / 'results')]) == 2
    assert 'no KittiMetric' in capsys.readouterr().err


@pytest.mark.long
def test_kitti_result_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = small_kitti(make_scenes(tmp_path / 'kitti', scenes=3))
    settings.model.test_cfg.score_thr = 0.0
    settings.dump(str(tmp_path / 'net.py'))
    torch.manual_seed(0)
    save_checkpoint(tmp_path / 'net.pth', {'state_dict': build_model(settings).state_dict()})
    assert main(['test', str(tmp_path / 'net.py'), str(tmp_path / 'net.pth'), '--out', str(tmp_path / 'results')]) == 0
    folder = Path(capsys.readouterr().out.splitlines()[-1].removeprefix('result files: '))
    listed = (tmp_path / 'kitti' / 'ImageSets' / 'val.txt').read_text().split()
    assert sorted(file.stem for file in folder.glob('*.txt')) == sorted(listed)
    assert all(read_objects(file).scores is not None or not len(read_objects(file)) for file in folder.glob('*.txt'))


def test_of_hundreds_of_metrics_the_main_ones_are_printed() -> None:
    names = ['K/Car_3D_AP40_moderate_strict', 'K/Car_3D_AP40_moderate_loose', 'K/Car_3D_AP11_easy_strict']
    assert main_metrics(names) == names[:1]
    assert main_metrics(['mIoU', 'aAcc']) == ['mIoU', 'aAcc']
    assert [plain(value) for value in (1, 0.5, float('nan'), 'x', torch.tensor(2.0))] == [1, 0.5, None, 'x', 2.0]
