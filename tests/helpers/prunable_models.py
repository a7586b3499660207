"""Small nets of every architecture that pruning supports, and one training and one distilled step of each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from helpers.configs import CONFIGS
from helpers.nets import pillars_config, whole_config
from helpers.prunable import scramble
from pointkd.distill.distiller import Distiller
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch

DETECTOR = [
    'model.backbone.depth=18',
    '+model.backbone.base_channels=16',
    'model.neck.in_channels=[16,32,64,128]',
    'model.neck.out_channels=32',
    'model.backbone.frozen_stages=-1',
]
SEGMENTOR = [
    'model.backbone.depth=18',
    '+model.backbone.base_channels=16',
    '+model.backbone.stem_channels=16',
    'model.backbone.norm_cfg.type=BN',
    'model.decode_head.norm_cfg.type=BN',
    'model.auxiliary_head.norm_cfg.type=BN',
    'model.decode_head.in_channels=128',
    'model.decode_head.channels=32',
    'model.auxiliary_head.in_channels=64',
    'model.auxiliary_head.channels=16',
    'model.data_preprocessor.size=(64, 96)',
]


def retinanet() -> Config:
    """Return a narrow RetinaNet."""
    head = ['model.bbox_head.in_channels=32', 'model.bbox_head.feat_channels=32', 'model.bbox_head.num_classes=3']
    return load_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', pretrained=False, options=[*DETECTOR, *head])


def faster_rcnn() -> Config:
    """Return a narrow Faster R-CNN."""
    head = [
        'model.rpn_head.in_channels=32',
        'model.rpn_head.feat_channels=32',
        'model.roi_head.bbox_roi_extractor.out_channels=32',
        'model.roi_head.bbox_head.in_channels=32',
        'model.roi_head.bbox_head.fc_out_channels=64',
        'model.roi_head.bbox_head.num_classes=3',
        'model.test_cfg.rpn.max_per_img=20',
    ]
    path = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    return load_config(path, pretrained=False, options=[*DETECTOR, *head])


def mask_rcnn() -> Config:
    """Return a narrow Mask R-CNN."""
    head = [
        'model.rpn_head.in_channels=32',
        'model.rpn_head.feat_channels=32',
        'model.roi_head.bbox_roi_extractor.out_channels=32',
        'model.roi_head.mask_roi_extractor.out_channels=32',
        'model.roi_head.bbox_head.in_channels=32',
        'model.roi_head.bbox_head.fc_out_channels=64',
        'model.roi_head.mask_head.in_channels=32',
        'model.roi_head.mask_head.conv_out_channels=32',
        'model.test_cfg.rpn.max_per_img=20',
    ]
    path = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
    return load_config(path, pretrained=False, options=[*DETECTOR, *head])


def pspnet() -> Config:
    """Return a narrow PSPNet."""
    path = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    return load_config(path, pretrained=False, options=SEGMENTOR)


def deeplab() -> Config:
    """Return a narrow DeepLabV3+."""
    path = 'mmseg::deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    more = ['model.decode_head.c1_in_channels=16', 'model.decode_head.c1_channels=16']
    return load_config(path, pretrained=False, options=[*SEGMENTOR, *more])


def pointpillars() -> Config:
    """Return a narrow PointPillars."""
    return whole_config(pillars_config(16))


def yolov8() -> Config:
    """Return a narrow YOLOv8."""
    scale = 'model.scale=dict(depth=0.67, width=0.25, max_channels=256)'
    return load_config(CONFIGS / 'yolov8' / 'yolov8_n_visdrone.py', options=[scale])


MODELS: dict[str, Callable[[], Config]] = {
    'retinanet': retinanet,
    'faster_rcnn': faster_rcnn,
    'pspnet': pspnet,
    'deeplab': deeplab,
    'pointpillars': pointpillars,
    'yolov8': yolov8,
}
TAPS = {'pspnet': 'backbone[3]', 'deeplab': 'backbone[3]', 'pointpillars': 'neck[0]'}  # else the neck's first map


def write_dense(name: str, folder: Path) -> tuple[Path, Path]:
    """Write the config and random weights of an architecture; return both files."""
    config = MODELS[name]()
    torch.manual_seed(0)
    network = build_model(config)
    scramble(network)
    config.dump(str(folder / 'dense.py'))
    save_checkpoint(folder / 'dense.pth', {'state_dict': network.state_dict()})
    return folder / 'dense.py', folder / 'dense.pth'


def train_step(network: nn.Module, config: Any) -> dict[str, Any]:
    """Train a network for one step on made-up samples; return what is logged."""
    network.train()
    optimizer = OptimWrapper(torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1e-4))
    return network.train_step(dummy_batch(config, 2), optimizer)


def distil_step(name: str, config: Config, dense: tuple[Path, Path]) -> dict[str, Any]:
    """Distil a pruned network from its dense one for one step; return what is logged."""
    tap = TAPS.get(name, 'neck[0]')
    teacher = dict(config=str(dense[0]), checkpoint=str(dense[1]))
    distill = dict(teacher=teacher, methods=[dict(type='ChannelWise', student=tap, teacher=tap, tau=4.0)])
    student = Distiller(copy.deepcopy(config.model), distill, config)
    student.init_weights()
    student.set_progress(0, 10)
    return train_step(student, config)
