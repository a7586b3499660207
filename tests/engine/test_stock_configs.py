"""Stock configs of the installed packages train, test and resume through our tools, with no file edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.small_data import write_cityscapes, write_coco

from pointkd.cli.main import main
from pointkd.io.checkpoints import read_checkpoint

NO_WORKERS = ['train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', 'test_dataloader.num_workers=0']
KITTI = [
    *NO_WORKERS,
    'train_dataloader.batch_size=1',
    'train_dataloader.dataset.times=1',
    '+train_dataloader.dataset.dataset.indices=1',
    '+val_dataloader.dataset.indices=1',
    '+test_dataloader.dataset.indices=1',
    'train_cfg.val_interval=2',
]
COCO = [
    *NO_WORKERS,
    'train_dataloader.dataset.pipeline.2.scale=(96, 64)',
    'val_dataloader.dataset.pipeline.1.scale=(96, 64)',
    'test_dataloader.dataset.pipeline.1.scale=(96, 64)',
    'train_dataloader.dataset.filter_cfg.min_size=8',
]
CITYSCAPES = [
    *NO_WORKERS,
    'train_dataloader.dataset.pipeline.2.scale=(96, 48)',
    'train_dataloader.dataset.pipeline.3.crop_size=(48, 64)',
    'model.data_preprocessor.size=(48, 64)',
    'val_dataloader.dataset.pipeline.1.scale=(96, 48)',
    'test_dataloader.dataset.pipeline.1.scale=(96, 48)',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
]


@pytest.fixture(scope='module')
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic street scenes in KITTI layout with the files that training needs."""
    root = tmp_path_factory.mktemp('kitti')
    made = ['--scenes', '4', '--seed', '1', '--val-share', '0.5', '--out', str(root)]
    assert main(['create-data', 'synthetic-kitti', *made]) == 0
    assert main(['create-data', 'kitti', '--root', str(root)]) == 0
    return root


def train_test_resume(config: str, root: Path, work_dir: Path, options: list[str], length: str) -> None:
    """Run the three commands; training goes for one unit of `length`, then for a second one by `--resume`."""
    common = [config, '--data-root', str(root), '--no-pretrained']
    for units in (1, 2):
        command = ['train', *common, '--work-dir', str(work_dir), '--resume', '--cfg-options', *options]
        assert main([*command, f'{length}={units}']) == 0
        counters = read_checkpoint(work_dir / 'last.pth')['meta']
        assert (counters['iter'] if 'iters' in length else counters['epoch']) == units
    checkpoint = str(work_dir / 'last.pth')
    assert main(['test', *common[:1], checkpoint, *common[1:], '--cfg-options', *options]) == 0


@pytest.mark.long
def test_pointpillars(kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = 'mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py'
    options = [*KITTI, 'model.data_preprocessor.voxel_layer.max_voxels=(2000, 2000)']
    train_test_resume(config, kitti, tmp_path / 'run', options, 'train_cfg.max_epochs')
    assert 'Overall_3D_AP40_moderate' in capsys.readouterr().out


@pytest.mark.slow
def test_second(kitti: Path, tmp_path: Path) -> None:
    config = 'mmdet3d::second/second_hv_secfpn_8xb6-80e_kitti-3d-3class.py'
    options = [*KITTI, 'model.data_preprocessor.voxel_layer.max_voxels=(4000, 4000)']
    train_test_resume(config, kitti, tmp_path / 'run', options, 'train_cfg.max_epochs')


@pytest.mark.long
def test_retinanet(tmp_path: Path) -> None:
    root = write_coco(tmp_path / 'coco')
    config = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
    train_test_resume(config, root, tmp_path / 'run', COCO, 'train_cfg.max_epochs')
    resolved = tmp_path / 'run' / 'config.py'
    assert main(['train', str(resolved), '--work-dir', str(resolved.parent), '--resume']) == 0  # nothing left to do


@pytest.mark.long
def test_pspnet(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path / 'cityscapes')
    config = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    train_test_resume(config, root, tmp_path / 'run', CITYSCAPES, 'train_cfg.max_iters')
