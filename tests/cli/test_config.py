"""`pointkd config show`."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from pointkd.cli.main import main


def test_shown_config_is_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stock = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
    options = ['--data-root', str(tmp_path), '--no-pretrained', '--cfg-options', 'train_cfg.max_epochs=3']
    assert main(['config', 'show', stock, *options]) == 0
    (tmp_path / 'shown.py').write_text(capsys.readouterr().out)
    config = Config.fromfile(tmp_path / 'shown.py')
    assert config.train_cfg.max_epochs == 3
    assert config.val_evaluator.ann_file.startswith(str(tmp_path))
    assert 'init_cfg' not in config.model.backbone


def test_wrong_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'student.py').write_text('distil = dict(methods=[])\n')
    assert main(['config', 'show', str(tmp_path / 'student.py')]) == 2
    assert capsys.readouterr().err.strip().endswith("nothing reads the block 'distil': did you mean 'distill'?")
