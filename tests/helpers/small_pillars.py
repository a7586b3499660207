"""A PointPillars on a 32 x 32 grid with random weights, as a config file and a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

CONFIG = """
class_names = ['Pedestrian', 'Car']
metainfo = dict(classes=class_names)
default_scope = 'mmdet3d'
custom_imports = dict(imports=['pointkd.models.pillars'], allow_failed_imports=False)
voxel_size = [0.5, 0.5, 4]
point_cloud_range = [0, -8, -3, 16, 8, 1]
model = dict(
    type='VoxelNet',
    data_preprocessor=dict(
        type='Det3DDataPreprocessor',
        voxel=True,
        voxel_layer=dict(
            max_num_points=8, point_cloud_range=point_cloud_range, voxel_size=voxel_size, max_voxels=(300, 400))),
    voxel_encoder=dict(
        type='PillarFeatureNet', in_channels=4, feat_channels=[16], voxel_size=voxel_size,
        point_cloud_range=point_cloud_range),
    middle_encoder=dict(type='PointPillarsScatter', in_channels=16, output_shape=[32, 32]),
    backbone=dict(type='SECOND', in_channels=16, layer_nums=[1, 1], layer_strides=[2, 2], out_channels=[16, 32]),
    neck=dict(type='SECONDFPN', in_channels=[16, 32], upsample_strides=[1, 2], out_channels=[16, 16]),
    bbox_head=dict(
        type='Anchor3DHead', num_classes=2, in_channels=32, feat_channels=32, use_direction_classifier=True,
        assign_per_class=True,
        anchor_generator=dict(
            type='AlignedAnchor3DRangeGenerator',
            ranges=[[0, -8, -0.6, 16, 8, -0.6], [0, -8, -1.78, 16, 8, -1.78]],
            sizes=[[0.8, 0.6, 1.73], [3.9, 1.6, 1.56]], rotations=[0, 1.57], reshape_out=False),
        bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.SmoothL1Loss'),
        loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False)),
    train_cfg=None,
    test_cfg=dict(use_rotate_nms=True, nms_across_levels=False, nms_thr=0.01, score_thr=0.3, min_bbox_size=0,
                  nms_pre=100, max_num=50))
"""


@dataclass(frozen=True)
class SmallNet:
    """Where the files are."""

    config: Path
    checkpoint: Path


def write_small_net(folder: Path, **changes: object) -> SmallNet:
    """Write the config, with changes (`voxel_encoder__legacy=False`), and a checkpoint of random weights."""
    from pointkd.io.build import build_model
    from pointkd.io.config import load_config

    folder.mkdir(parents=True, exist_ok=True)
    net = SmallNet(folder / 'small.py', folder / 'small.pth')
    lines = [f"model['{key.replace('__', chr(39) + '][' + chr(39))}'] = {value!r}" for key, value in changes.items()]
    net.config.write_text(CONFIG + '\n'.join(lines) + '\n')
    torch.manual_seed(0)
    model = build_model(load_config(net.config))
    randomize(model)
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, net.checkpoint)
    return net


def randomize(model: torch.nn.Module) -> None:
    """Give a network weights and statistics that make it answer: scores on both sides of 0.3, boxes of any size."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(module.weight)
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.7, 1.4)
                module.weight.normal_(1, 0.1)
                module.bias.normal_(0, 0.1)
        head = model.bbox_head
        for name, scale in (('conv_cls', 0.2), ('conv_reg', 0.05), ('conv_dir_cls', 0.2)):
            if hasattr(head, name):
                getattr(head, name).weight.normal_(0, scale)
        head.conv_cls.bias.fill_(-2.0)


def export_small_net(folder: Path, **changes: object) -> Path:
    """Write (see `write_small_net`) and export the small net; return the folder of the export."""
    from pointkd.export.exporter import export

    net = write_small_net(folder, **changes)
    export(net.config, net.checkpoint, folder / 'export')
    return folder / 'export'
