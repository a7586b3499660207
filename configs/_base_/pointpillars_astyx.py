# PointPillars for the cars of Astyx HiRes 2019 in KITTI layout (a LiDAR of 16 beams, ground near -1.6 m), sized for a
# processor with two cores: the range holds 97 % of the cars that count.
# Data: pointkd create-data kitti --root data/astyx --splits train=train,val=val,test=test
custom_imports = dict(imports=['pointkd.models.pillars'], allow_failed_imports=False)
point_cloud_range = [0, -20.48, -3, 46.08, 20.48, 3]  # metres: x, y, z from; x, y, z to
voxel_size = [0.32, 0.32, 6]
class_names = ['Car']

# -- network -----------------------------------------------------------------------------------------------------------
car = dict(
    type='Max3DIoUAssigner',
    iou_calculator=dict(type='mmdet3d.BboxOverlapsNearest3D'),
    pos_iou_thr=0.6,
    neg_iou_thr=0.45,
    min_pos_iou=0.45,
    ignore_iof_thr=-1,
)
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
        num_classes=1,
        in_channels=192,
        feat_channels=192,
        use_direction_classifier=True,
        assign_per_class=True,
        anchor_generator=dict(
            type='AlignedAnchor3DRangeGenerator',
            ranges=[[0, -20.48, -1.3, 46.08, 20.48, -1.3]],
            sizes=[[4.15, 1.8, 1.6]],
            rotations=[0, 1.57],
            reshape_out=False,
        ),
        diff_rad_by_sin=True,
        bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=2.0),
        loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2),
    ),
    train_cfg=dict(assigner=[car], allowed_border=0, pos_weight=-1, debug=False),
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
data_root = 'data/astyx/'
load_points = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=4, use_dim=4)
db_sampler = dict(
    data_root=data_root,
    info_path=data_root + 'kitti_dbinfos_train.pkl',
    rate=1.0,
    prepare=dict(filter_by_difficulty=[-1], filter_by_min_points=dict(Car=5)),
    classes=class_names,
    sample_groups=dict(Car=10),
    points_loader=load_points,
)
train_pipeline = [
    load_points,
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    dict(type='ObjectSample', db_sampler=db_sampler),
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
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RepeatDataset',
        times=1,
        dataset=dict(frames, ann_file='kitti_infos_train.pkl', pipeline=train_pipeline, test_mode=False),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(frames, ann_file='kitti_infos_val.pkl', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(frames, ann_file='kitti_infos_test.pkl', pipeline=test_pipeline, test_mode=True)
)
val_evaluator = dict(type='KittiMetric', ann_file=data_root + 'kitti_infos_val.pkl', metric='bbox')
test_evaluator = dict(val_evaluator, ann_file=data_root + 'kitti_infos_test.pkl')
