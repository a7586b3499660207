"""The configs of segmentation nets: published sizes, schedules and data, and runs of a few steps through the tools."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.configs import CONFIGS, DISTILLED, config, differences
from helpers.segmentors import PAIRS, narrow, segmentor, write_weights
from helpers.small_data import write_camvid, write_cityscapes

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.cli.main import main
from pointkd.io.build import build_model
from pointkd.io.checkpoints import read_checkpoint
from pointkd.io.config import load_config
from pointkd.io.metainfo import read_labels

MILLIONS = {  # BPKD's tables, which count the heads for 150 classes
    'pspnet-r101': 68.07,
    'pspnet-r18': 12.82,
    'hrnet-w48': 65.95,
    'hrnet-w18s': 3.97,
    'deeplabv3plus-r101': 62.68,
    'deeplabv3plus-mv2': 15.35,
    'isanet-r101': 56.80,
    'isanet-r18': 12.46,
}
STOCK = {
    'pspnet-r101': 'pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    'pspnet-r18': 'pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'hrnet-w48': 'hrnet/fcn_hr48_4xb2-80k_cityscapes-512x1024.py',
    'hrnet-w18s': 'hrnet/fcn_hr18s_4xb2-80k_cityscapes-512x1024.py',
    'deeplabv3plus-r101': 'deeplabv3plus/deeplabv3plus_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    'deeplabv3plus-mv2': 'mobilenet_v2/mobilenet-v2-d8_deeplabv3plus_4xb2-80k_cityscapes-512x1024.py',
    'isanet-r101': 'isanet/isanet_r101-d8_4xb2-80k_cityscapes-512x1024.py',
    'segformer-b4': 'segformer/segformer_mit-b4_8xb1-160k_cityscapes-1024x1024.py',
    'segformer-b0': 'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
}
NO_WORKERS = ['train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', 'test_dataloader.num_workers=0']


@pytest.mark.parametrize('net', MILLIONS)
def test_has_the_published_number_of_parameters(net: str) -> None:
    options = ['model.decode_head.num_classes=150']
    cfg = load_config(CONFIGS / 'segmentation' / f'{net}_cityscapes.py', pretrained=False)
    if cfg.model.get('auxiliary_head'):
        options.append('model.auxiliary_head.num_classes=150')
    cfg = load_config(cfg.filename, pretrained=False, options=options)
    count = sum(parameter.numel() for parameter in build_model(cfg).parameters())
    assert round(count / 1e6, 2) == MILLIONS[net]


@pytest.mark.parametrize('net', STOCK)
def test_is_the_stock_net_with_the_stock_training(net: str) -> None:
    ours = config(f'segmentation/{net}_cityscapes.py')
    stock = load_config(f'mmseg::{STOCK[net]}')
    model = dict(stock.model)
    pretrained = model.pop('pretrained')
    if pretrained:
        model['backbone'] = {**model['backbone'], 'init_cfg': dict(type='Pretrained', checkpoint=pretrained)}
    assert not differences(_plain(ours.model), _plain(model))
    for block in ('optim_wrapper', 'param_scheduler', 'val_dataloader', 'val_evaluator'):
        assert not differences({'block': _plain(ours[block])}, {'block': _plain(stock[block])}), block
    assert ours.train_cfg.max_iters == stock.train_cfg.max_iters
    assert _plain(ours.train_dataloader.dataset) == _plain(stock.train_dataloader.dataset)
    assert ours.train_dataloader.batch_size == stock.train_dataloader.batch_size


def _plain(value: object) -> object:
    """Return nested containers as dicts and lists."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def test_each_pair_is_there() -> None:
    for student, teacher in PAIRS.items():
        name = f'segmentation/{student}_channel-wise_cityscapes.py'
        assert name in DISTILLED
        assert config(name).distill.teacher.config == f'{teacher}_cityscapes.py'


def test_hub_weights_are_dropped_on_request() -> None:
    for student, teacher in PAIRS.items():
        for net in (student, teacher):
            path = CONFIGS / 'segmentation' / f'{net}_cityscapes.py'
            assert load_config(path).model.backbone.init_cfg.type == 'Pretrained'
            assert 'init_cfg' not in load_config(path, pretrained=False).model.backbone


def test_labels_of_the_data_sets() -> None:
    cityscapes = read_labels(config('segmentation/pspnet-r18_cityscapes.py'))
    assert cityscapes.num_classes == len(cityscapes.classes) == len(cityscapes.palette) == 19
    assert (cityscapes.classes[0], cityscapes.palette[0]) == ('road', (128, 64, 128))
    camvid = read_labels(config('segmentation/pspnet-r18_camvid.py'))
    assert camvid.num_classes == len(camvid.classes) == len(camvid.palette) == 11
    assert camvid.classes[8:] == ('Car', 'Pedestrian', 'Bicyclist')
    ade = load_config('mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py', pretrained=False)
    assert read_labels(ade).reduce_zero_label


@pytest.mark.long
def test_a_distilled_net_trains_resumes_and_is_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way on made-up Cityscapes frames, teacher included."""
    torch.set_num_threads(1)
    root = write_cityscapes(tmp_path / 'cityscapes')
    weights = write_weights(segmentor('pspnet-r101_cityscapes'), tmp_path / 'teacher.pth')
    options = [
        *NO_WORKERS,
        *narrow('pspnet-r18'),
        'train_dataloader.dataset.pipeline.2.scale=(96, 48)',
        'train_dataloader.dataset.pipeline.3.crop_size=(64, 96)',
        'val_dataloader.dataset.pipeline.1.scale=(96, 48)',
        'test_dataloader.dataset.pipeline.1.scale=(96, 48)',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=2',
        f'distill.teacher.checkpoint={weights}',
        f'+distill.teacher.options={narrow("pspnet-r101")}',
    ]
    name = str(CONFIGS / 'segmentation' / 'pspnet-r18_channel-wise_cityscapes.py')
    common = [name, '--data-root', str(root), '--no-pretrained']
    for iterations in (2, 4):
        run = ['train', *common, '--work-dir', str(tmp_path / 'run'), '--resume', '--cfg-options', *options]
        assert main([*run, f'train_cfg.max_iters={iterations}']) == 0
        assert read_checkpoint(tmp_path / 'run' / 'last.pth')['meta']['iter'] == iterations
    last = str(tmp_path / 'run' / 'last.pth')
    assert main(['test', name, last, *common[1:], '--cfg-options', *options]) == 0
    assert 'mIoU' in capsys.readouterr().out


@pytest.mark.long
def test_a_small_net_trains_on_camvid(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    root = write_camvid(tmp_path / 'camvid')
    options = [
        *NO_WORKERS,
        'model.data_preprocessor.size=(48, 64)',
        'train_dataloader.batch_size=2',
        'train_dataloader.dataset.pipeline.2.scale=(64, 48)',
        'train_dataloader.dataset.pipeline.3.crop_size=(48, 64)',
        'val_dataloader.dataset.pipeline.1.scale=(64, 48)',
        'test_dataloader.dataset.pipeline.1.scale=(64, 48)',
        'train_cfg.max_iters=1',
        'train_cfg.val_interval=1',
    ]
    name = str(CONFIGS / 'segmentation' / 'pspnet-r18-4x_camvid.py')
    run = ['train', name, '--data-root', str(root), '--work-dir', str(tmp_path / 'run'), '--cfg-options', *options]
    assert main(run) == 0
    assert read_checkpoint(tmp_path / 'run' / 'last.pth')['meta']['iter'] == 1
