# A PointPillars for your own classes, range and frame: copy this file, change the block at its top; the rest follows.
# docs/your_data.md leads through it.
custom_imports = dict(imports=['pointkd.models.pillars', 'pointkd.datasets.kitti_layout'], allow_failed_imports=False)

# -- yours -------------------------------------------------------------------------------------------------------------
# Each class: size of a typical object (length, width, height) and height of its bottom, in metres; `like` is the KITTI
# class whose rules the evaluation takes (Car: overlap 0.7; Pedestrian, Cyclist: 0.5).
objects = dict(
    Forklift=dict(size=[3.6, 1.3, 2.2], bottom=-2.5, like='Car'),
    Worker=dict(size=[0.7, 0.7, 1.8], bottom=-2.5, like='Pedestrian'),
)
point_cloud_range = [0, -12.8, -3, 25.6, 12.8, 1]  # x, y, z from; x, y, z to, in metres: x forward, y left, z up
voxel_size = [0.2, 0.2, 4]  # cells along x and along y: a multiple of 8
points_in_pillar, pillars = 16, 8000
width = 32  # of the point encoder; the backbone has width, 2 width, 4 width
data_root = 'data/yours/'
epochs, batch = 40, 4
# ----------------------------------------------------------------------------------------------------------------------

class_names = list(objects)
cells_x = round((point_cloud_range[3] - point_cloud_range[0]) / voxel_size[0])
cells_y = round((point_cloud_range[4] - point_cloud_range[1]) / voxel_size[1])
ground = point_cloud_range[:2], point_cloud_range[3:5]
model = dict(
    type='VoxelNet',
    data_preprocessor=dict(
        type='Det3DDataPreprocessor',
        voxel=True,
        voxel_layer=dict(
            max_num_points=points_in_pillar,
            point_cloud_range=point_cloud_range,
            voxel_size=voxel_size,
            max_voxels=(pillars, pillars),
        ),
    ),
    voxel_encoder=dict(
        type='RealPointsPillarFeatureNet',
        in_channels=4,
        feat_channels=[width],
        with_distance=False,
        voxel_size=voxel_size,
        point_cloud_range=point_cloud_range,
    ),
    middle_encoder=dict(type='PointPillarsScatter', in_channels=width, output_shape=[cells_y, cells_x]),
    backbone=dict(
        type='SECOND',
        in_channels=width,
        layer_nums=[3, 3, 3],
        layer_strides=[2, 2, 2],
        out_channels=[width, 2 * width, 4 * width],
    ),
    neck=dict(
        type='SECONDFPN',
        in_channels=[width, 2 * width, 4 * width],
        upsample_strides=[1, 2, 4],
        out_channels=[2 * width] * 3,
    ),
    bbox_head=dict(
        type='Anchor3DHead',
        num_classes=len(objects),
        in_channels=6 * width,
        feat_channels=6 * width,
        use_direction_classifier=True,
        assign_per_class=True,
        anchor_generator=dict(
            type='AlignedAnchor3DRangeGenerator',
            ranges=[[*ground[0], kind['bottom'], *ground[1], kind['bottom']] for kind in objects.values()],
            sizes=[kind['size'] for kind in objects.values()],
            rotations=[0, 1.57],
            reshape_out=False,
        ),
        diff_rad_by_sin=True,
        bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=2.0),
        loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2),
    ),
    train_cfg=dict(
        assigner=[
            dict(
                type='Max3DIoUAssigner',
                iou_calculator=dict(type='mmdet3d.BboxOverlapsNearest3D'),
                pos_iou_thr=0.6 if kind['like'] == 'Car' else 0.35,
                neg_iou_thr=0.45 if kind['like'] == 'Car' else 0.2,
                min_pos_iou=0.45 if kind['like'] == 'Car' else 0.2,
                ignore_iof_thr=-1,
            )
            for kind in objects.values()
        ],
        allowed_border=0,
        pos_weight=-1,
        debug=False,
    ),
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

load_points = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4)
train_pipeline = [
    load_points,
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.4, 0.4], scale_ratio_range=[0.95, 1.05]),
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
    type='KittiLayoutDataset',
    data_root=data_root,
    data_prefix=dict(pts='training/velodyne_reduced'),
    modality=dict(use_lidar=True, use_camera=False),
    metainfo=dict(classes=class_names),
    box_type_3d='LiDAR',
)
train_dataloader = dict(
    batch_size=batch,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(frames, ann_file='kitti_infos_train.pkl', pipeline=train_pipeline, test_mode=False),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(frames, ann_file='kitti_infos_val.pkl', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='KittiMetric',
    ann_file=data_root + 'kitti_infos_val.pkl',
    pcd_limit_range=point_cloud_range,
    stand_for={name: kind['like'] for name, kind in objects.items()},
)
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.95, 0.99), weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=epochs, eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
val_cfg = dict()
test_cfg = dict()
default_scope = 'mmdet3d'
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1))
