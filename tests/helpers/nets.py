"""Small networks and their batches, for tests of the Distiller."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

RANGE = [0.0, -8.0, -3.0, 16.0, 8.0, 1.0]
CLASSES = ['Pedestrian', 'Cyclist', 'Car']


def pillars_config(width: int = 8, voxel: float = 0.5, max_points: int = 8) -> dict:
    """Return the model config of a PointPillars on a 32 x 32 grid (at 0.5 m)."""
    cells = round((RANGE[3] - RANGE[0]) / voxel)
    norm_cfg = dict(type='BN', eps=1e-3, momentum=0.01)
    anchors = dict(
        type='AlignedAnchor3DRangeGenerator',
        ranges=[
            [0.0, -8.0, -0.6, 16.0, 8.0, -0.6],
            [0.0, -8.0, -0.6, 16.0, 8.0, -0.6],
            [0.0, -8.0, -1.8, 16.0, 8.0, -1.8],
        ],
        sizes=[[0.8, 0.6, 1.73], [1.76, 0.6, 1.73], [3.9, 1.6, 1.56]],
        rotations=[0, 1.57],
        reshape_out=False,
    )
    assigner = dict(
        type='Max3DIoUAssigner',
        iou_calculator=dict(type='mmdet3d.BboxOverlapsNearest3D'),
        pos_iou_thr=0.5,
        neg_iou_thr=0.35,
        min_pos_iou=0.35,
        ignore_iof_thr=-1,
    )
    return dict(
        type='mmdet3d.VoxelNet',
        data_preprocessor=dict(
            type='mmdet3d.Det3DDataPreprocessor',
            voxel=True,
            voxel_layer=dict(
                max_num_points=max_points,
                point_cloud_range=list(RANGE),
                voxel_size=[voxel, voxel, 4.0],
                max_voxels=(400, 800),
            ),
        ),
        voxel_encoder=dict(
            type='mmdet3d.PillarFeatureNet',
            in_channels=4,
            feat_channels=[width],
            with_distance=False,
            voxel_size=[voxel, voxel, 4.0],
            point_cloud_range=list(RANGE),
            norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01),
        ),
        middle_encoder=dict(type='mmdet3d.PointPillarsScatter', in_channels=width, output_shape=[cells, cells]),
        backbone=dict(
            type='mmdet3d.SECOND',
            in_channels=width,
            layer_nums=[1, 1],
            layer_strides=[2, 2],
            out_channels=[width, 2 * width],
            norm_cfg=norm_cfg,
        ),
        neck=dict(
            type='mmdet3d.SECONDFPN',
            in_channels=[width, 2 * width],
            upsample_strides=[1, 2],
            out_channels=[width, width],
            norm_cfg=norm_cfg,
        ),
        bbox_head=dict(
            type='mmdet3d.Anchor3DHead',
            num_classes=3,
            in_channels=2 * width,
            feat_channels=2 * width,
            use_direction_classifier=True,
            assign_per_class=True,
            anchor_generator=anchors,
            diff_rad_by_sin=True,
            bbox_coder=dict(type='mmdet3d.DeltaXYZWLHRBBoxCoder'),
            loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
            loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=0.1111, loss_weight=2.0),
            loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2),
        ),
        train_cfg=dict(assigner=[assigner] * 3, allowed_border=0, pos_weight=-1, debug=False),
        test_cfg=dict(
            use_rotate_nms=True,
            nms_across_levels=False,
            nms_thr=0.01,
            score_thr=0.1,
            min_bbox_size=0,
            nms_pre=50,
            max_num=20,
        ),
    )


def whole_config(model: dict, classes: list[str] = CLASSES, scope: str = 'mmdet3d') -> Config:
    """Return a config around a model, as far as the Distiller looks at it."""
    return Config(dict(default_scope=scope, class_names=list(classes), model=model))


def write_teacher(
    folder: Path, model: dict, seed: int = 0, classes: list[str] = CLASSES, scope: str = 'mmdet3d'
) -> dict:
    """Write a teacher's config and random weights; return the `distill.teacher` block."""
    from pointkd.io.build import build_model
    from pointkd.io.checkpoints import save_checkpoint

    config = whole_config(model, classes, scope)
    config.dump(str(folder / 'teacher.py'))
    torch.manual_seed(seed)
    network = build_model(config)
    save_checkpoint(folder / 'teacher.pth', {'state_dict': network.state_dict()})
    return dict(config=str(folder / 'teacher.py'), checkpoint=str(folder / 'teacher.pth'))


def raw_batch(samples: int = 2, seed: int = 0) -> dict:
    """Return a raw batch as the data loader gives it: random clouds with a car, a cyclist and a pedestrian each."""
    from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
    from mmengine.structures import InstanceData

    rng = np.random.default_rng(seed)
    clouds, annotations = [], []
    for _ in range(samples):
        cloud = rng.uniform([0, -8, -2, 0], [16, 8, 0.5, 1], (600, 4)).astype(np.float32)
        places = rng.uniform([3, -5], [13, 5], (3, 2))
        sizes = np.array([[0.8, 0.6, 1.73], [1.76, 0.6, 1.73], [3.9, 1.6, 1.56]])
        yaw = rng.uniform(-3, 3, (3, 1))
        boxes = np.concatenate([places, np.full((3, 1), -1.7), sizes, yaw], axis=1).astype(np.float32)
        sample = Det3DDataSample()
        sample.set_metainfo(dict(box_type_3d=LiDARInstance3DBoxes, box_mode_3d=0))
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(torch.from_numpy(boxes)), labels_3d=torch.arange(3)
        )
        clouds.append(torch.from_numpy(cloud))
        annotations.append(sample)
    return {'inputs': {'points': clouds}, 'data_samples': annotations}


def segmentor_config(width: int = 4) -> dict:
    """Return the model config of a small U-Net without batch norm, whose loss is a mean over pixels."""
    return dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor', mean=[0.0] * 3, std=[50.0] * 3, size=(32, 32), pad_val=0, seg_pad_val=255
        ),
        backbone=dict(
            type='mmseg.UNet',
            in_channels=3,
            base_channels=width,
            num_stages=2,
            strides=(1, 1),
            enc_num_convs=(1, 1),
            dec_num_convs=(1,),
            downsamples=(True,),
            enc_dilations=(1, 1),
            dec_dilations=(1,),
            norm_cfg=dict(type='GN', num_groups=2),
        ),
        decode_head=dict(
            type='mmseg.FCNHead',
            in_channels=width,
            channels=width,
            in_index=1,
            num_convs=1,
            dropout_ratio=0.0,
            num_classes=3,
            norm_cfg=dict(type='GN', num_groups=2),
            loss_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def image_batch(samples: int = 4, seed: int = 0) -> dict:
    """Return a raw batch of random images with label maps."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(seed)
    images, annotations = [], []
    for _ in range(samples):
        images.append(torch.randint(0, 255, (3, 32, 32), generator=generator, dtype=torch.uint8))
        sample = SegDataSample(metainfo=dict(img_shape=(32, 32), ori_shape=(32, 32)))
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 32, 32), generator=generator))
        annotations.append(sample)
    return {'inputs': images, 'data_samples': annotations}
