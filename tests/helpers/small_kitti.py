"""A small PointPillars that trains on synthetic street scenes through the whole of mmdet3d's pipeline, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from helpers.nets import CLASSES, RANGE, pillars_config

LOAD = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4)
WIDE = [0.0, -32.0, -3.0, 64.0, 32.0, 1.0]  # the range of the training data; the net looks at part of it


def make_scenes(root: Path, scenes: int = 5) -> Path:
    """Make street scenes and their info files, and return their folder."""
    from pointkd.cli.main import main

    made = ['--scenes', str(scenes), '--seed', '1', '--val-share', '0.4', '--out', str(root)]
    assert main(['create-data', 'synthetic-kitti', *made]) == 0
    assert main(['create-data', 'kitti', '--root', str(root)]) == 0
    return root


def small_kitti(root: Path, width: int = 8, epochs: int = 2, pasting: bool = True, **blocks: Any) -> Config:
    """Return the config of a training on scenes that `make_scenes` made; `blocks` go to its top level."""
    database = dict(
        data_root=str(root),
        info_path=str(root / 'kitti_dbinfos_train.pkl'),
        rate=1.0,
        prepare=dict(filter_by_min_points=dict(Car=5, Pedestrian=5, Cyclist=5)),
        classes=CLASSES,
        sample_groups=dict(Car=4, Pedestrian=2, Cyclist=2),
        points_loader=LOAD,
    )
    training = [
        LOAD,
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
        *([dict(type='ObjectSample', db_sampler=database)] if pasting else []),
        dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5),
        dict(type='GlobalRotScaleTrans', rot_range=[-0.7, 0.7], scale_ratio_range=[0.95, 1.05]),
        dict(type='PointsRangeFilter', point_cloud_range=WIDE),
        dict(type='ObjectRangeFilter', point_cloud_range=WIDE),
        dict(type='PointShuffle'),
        dict(type='Pack3DDetInputs', keys=['points', 'gt_labels_3d', 'gt_bboxes_3d']),
    ]
    testing = [
        LOAD,
        dict(type='PointsRangeFilter', point_cloud_range=RANGE),
        dict(type='Pack3DDetInputs', keys=['points']),
    ]
    val = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dataset(root, 'val', testing, True),
    )
    settings = dict(
        default_scope='mmdet3d',
        class_names=CLASSES,
        model=pillars_config(width),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(type='RepeatDataset', times=2, dataset=dataset(root, 'train', training, False)),
        ),
        val_dataloader=val,
        test_dataloader=val,
        val_evaluator=dict(type='KittiMetric', ann_file=str(root / 'kitti_infos_val.pkl')),
        test_evaluator=dict(type='KittiMetric', ann_file=str(root / 'kitti_infos_val.pkl')),
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=epochs),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3), clip_grad=dict(max_norm=10)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
    )
    return Config({**settings, **blocks})


def dataset(root: Path, split: str, pipeline: list[dict], test_mode: bool) -> dict[str, Any]:
    """Return the block of one split."""
    return dict(
        type='KittiDataset',
        data_root=str(root),
        ann_file=f'kitti_infos_{split}.pkl',
        data_prefix=dict(pts='training/velodyne_reduced'),
        pipeline=pipeline,
        modality=dict(use_lidar=True, use_camera=False),
        test_mode=test_mode,
        metainfo=dict(classes=CLASSES),
        box_type_3d='LiDAR',
    )
