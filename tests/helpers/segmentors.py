"""The segmentation nets of configs/segmentation, narrowed until a step takes no time."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from helpers.configs import CONFIGS

PAIRS = {  # student: teacher
    'pspnet-r18': 'pspnet-r101',
    'deeplabv3plus-mv2': 'deeplabv3plus-r101',
    'hrnet-w18s': 'hrnet-w48',
    'isanet-r18': 'isanet-r101',
    'segformer-b0': 'segformer-b4',
}
SIZE = (64, 96)  # the training crop of the narrow nets
_RESNET = ['+model.backbone.base_channels=8', '+model.backbone.stem_channels=8', 'model.auxiliary_head.channels=8']
_R101 = [
    *_RESNET,
    'model.backbone.depth=50',
    'model.decode_head.in_channels=256',
    'model.decode_head.channels=16',
    'model.auxiliary_head.in_channels=128',
]
_R18 = [
    *_RESNET,
    'model.decode_head.in_channels=64',
    'model.decode_head.channels=8',
    'model.auxiliary_head.in_channels=32',
]
_ISA = ['model.decode_head.isa_channels=8', 'model.decode_head.down_factor=(4,4)']


def _hrnet(width: int, modules: int) -> list[str]:
    """Narrow an HRNet to one module a stage."""
    widths = [width, 2 * width, 4 * width, 8 * width]
    options = ['model.backbone.extra.stage1.num_blocks=(1,)', 'model.backbone.extra.stage1.num_channels=(8,)']
    for stage in (2, 3, 4):
        options += [
            f'model.backbone.extra.stage{stage}.num_modules={modules}',
            f'model.backbone.extra.stage{stage}.num_blocks={(1,) * stage}',
            f'model.backbone.extra.stage{stage}.num_channels={tuple(widths[:stage])}',
        ]
    return [*options, f'model.decode_head.in_channels={widths}', f'model.decode_head.channels={sum(widths)}']


def _segformer(width: int) -> list[str]:
    """Narrow a SegFormer to one layer a stage."""
    widths = [width, 2 * width, 5 * width, 8 * width]
    return [
        f'model.backbone.embed_dims={width}',
        'model.backbone.num_layers=[1,1,1,1]',
        f'model.decode_head.in_channels={widths}',
        'model.decode_head.channels=16',
        'model.test_cfg.crop_size=(64,64)',
        'model.test_cfg.stride=(48,48)',
    ]


_NARROW = {
    'pspnet-r101': _R101,
    'pspnet-r18': _R18,
    'isanet-r101': [*_R101, *_ISA],
    'isanet-r18': [*_R18, *_ISA],
    'deeplabv3plus-r101': [*_R101, 'model.decode_head.c1_in_channels=32', 'model.decode_head.c1_channels=8'],
    'deeplabv3plus-mv2': [
        'model.backbone.widen_factor=0.25',
        'model.decode_head.in_channels=80',
        'model.decode_head.c1_in_channels=8',
        'model.decode_head.channels=8',
        'model.decode_head.c1_channels=8',
        'model.auxiliary_head.in_channels=24',
        'model.auxiliary_head.channels=8',
    ],
    'hrnet-w48': _hrnet(8, 2),
    'hrnet-w18s': _hrnet(4, 1),
    'segformer-b4': _segformer(16),
    'segformer-b0': _segformer(8),
}


def narrow(net: str) -> list[str]:
    """Return the options that narrow a net of the repository."""
    return [f'model.data_preprocessor.size={SIZE}', *_NARROW[net]]


def segmentor(name: str, *options: str) -> Config:
    """Load a config of configs/segmentation (`pspnet-r18_cityscapes`), narrowed."""
    from pointkd.io.config import load_config

    net = name.partition('_')[0]
    path = CONFIGS / 'segmentation' / f'{name}.py'
    return load_config(path, pretrained=False, options=[*narrow(net), *options])


def write_weights(config: Config, path: Path, seed: int = 0) -> Path:
    """Write random weights of a config's net, batch statistics included; return the file."""
    from pointkd.io.build import build_model

    torch.manual_seed(seed)
    network = build_model(config)
    network.init_weights()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.7, 1.4)
    torch.nn.init.normal_(network.decode_head.conv_seg.weight, std=1.0)
    torch.save({'state_dict': network.state_dict(), 'meta': {}}, path)
    return path


def distilled(student: str, folder: Path, method: str = 'channel-wise', data: str = 'cityscapes') -> Config:
    """Load a distilled config, narrowed, with a teacher of random weights."""
    config = segmentor(f'{student}_{method}_{data}')
    teacher = PAIRS[student]
    weights = folder / f'{teacher}.pth'
    if not weights.exists():
        write_weights(segmentor(f'{teacher}_{data}'), weights)
    config.distill.teacher.checkpoint = str(weights)
    config.distill.teacher.options = narrow(teacher)
    return config


def write_small_segmentor(folder: Path, net: str = 'pspnet-r18', *options: str) -> tuple[Path, Path]:
    """Write a narrow net's config and random weights; return the two files.

    Its test pipeline resizes into 96 x 64 pixels.
    """
    config = segmentor(f'{net}_cityscapes', 'test_dataloader.dataset.pipeline.1.scale=(96, 64)', *options)
    folder.mkdir(parents=True, exist_ok=True)
    config.dump(str(folder / f'{net}.py'))
    return folder / f'{net}.py', write_weights(config, folder / f'{net}.pth')
