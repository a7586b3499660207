# PointPillars on synthetic street scenes, near the car: small enough to learn in minutes on a processor with two cores.
# Data: pointkd create-data synthetic-kitti --scenes 300 --seed 0 --out data/synthetic
custom_imports = dict(imports=['pointkd.models.pillars'], allow_failed_imports=False)
point_cloud_range = [0, -20.48, -3, 46.08, 20.48, 1]  # metres: x, y, z from; x, y, z to
voxel_size = [0.32, 0.32, 4]
class_names = ['Pedestrian', 'Cyclist', 'Car']

# -- network -----------------------------------------------------------------------------------------------------------
small = dict(  # pedestrians, cyclists: below the stock limits: output cells are 0.64 m wide
    type='Max3DIoUAssigner',
    iou_calculator=dict(type='mmdet3d.BboxOverlapsNearest3D'),
    pos_iou_thr=0.3,
    neg_iou_thr=0.15,
    min_pos_iou=0.1,
    ignore_iof_thr=-1,
)
car = dict(small, pos_iou_thr=0.6, neg_iou_thr=0.45, min_pos_iou=0.45)
model = dict(
    type='VoxelNet',
    data_preprocessor=dict(
        type='Det3DDataPreprocessor',
        voxel=True,
        voxel_layer=dict(
            max_num_points=8,
            point_cloud_range=point_cloud_range,
            voxel_size=voxel_size,
            max_voxels=(8000, 8000),  # training, test
        ),
    ),
    voxel_encoder=dict(
        type='RealPointsPillarFeatureNet',
        in_channels=4,
        feat_channels=[32],
        with_distance=False,
        voxel_size=voxel_size,
        point_cloud_range=point_cloud_range,
    ),
    middle_encoder=dict(type='PointPillarsScatter', in_channels=32, output_shape=[128, 144]),
    backbone=dict(
        type='SECOND', in_channels=32, layer_nums=[3, 3, 3], layer_strides=[2, 2, 2], out_channels=[32, 64, 128]
    ),
    neck=dict(type='SECONDFPN', in_channels=[32, 64, 128], upsample_strides=[1, 2, 4], out_channels=[64, 64, 64]),
    bbox_head=dict(
        type='Anchor3DHead',
        num_classes=3,
        in_channels=192,
        feat_channels=192,
        use_direction_classifier=True,
        assign_per_class=True,
        anchor_generator=dict(
            type='AlignedAnchor3DRangeGenerator',
            ranges=[[0, -20.48, z, 46.08, 20.48, z] for z in (-1.7, -1.7, -1.75)],
            sizes=[[0.8, 0.7, 1.75], [1.76, 0.63, 1.9], [4.1, 1.7, 1.55]],
            rotations=[0, 1.57],
            reshape_out=False,
        ),
        diff_rad_by_sin=True,
        bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=2.0),
        loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2),
    ),
    train_cfg=dict(assigner=[small, small, car], allowed_border=0, pos_weight=-1, debug=False),
    test_cfg=dict(
        use_rotate_nms=True,
        nms_across_levels=False,
        nms_thr=0.01,
        score_thr=0.1,
        min_bbox_size=0,
        nms_pre=100,
        max_num=50,
    ),
)

# -- data --------------------------------------------------------------------------------------------------------------
data_root = 'data/synthetic/'
load_points = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4)
train_pipeline = [
    load_points,
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.2, 0.2], scale_ratio_range=[0.95, 1.05]),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='PointShuffle'),
    dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
]
test_pipeline = [
    load_points,
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='Pack3DDetInputs', keys=['points']),
]
frames = dict(
    type='KittiDataset',
    data_root=data_root,
    data_prefix=dict(pts='training/velodyne_reduced'),
    modality=dict(use_lidar=True, use_camera=False),
    metainfo=dict(classes=class_names),
    box_type_3d='LiDAR',
)
train_dataloader = dict(
    batch_size=2,  # in a short training the number of steps counts
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(frames, ann_file='kitti_infos_train.pkl', pipeline=train_pipeline, test_mode=False),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(frames, ann_file='kitti_infos_val.pkl', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='KittiMetric', ann_file=data_root + 'kitti_infos_val.pkl', metric='bbox')
test_evaluator = val_evaluator

# -- schedule and run --------------------------------------------------------------------------------------------------
iterations = 1000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, betas=(0.95, 0.99), weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=3e-3,
        total_steps=iterations,
        pct_start=0.4,
        div_factor=10,
        by_epoch=False,
    )
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
val_cfg = dict()
test_cfg = dict()
default_scope = 'mmdet3d'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=200, max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
visualizer = dict(
    type='Visualizer',
    name='visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=False)
