# Generated aerial images (`pointkd create-data synthetic-aerial --size 256`, then `pointkd create-data visdrone --root`
# the same folder): 10 classes of small objects. A schedule this short has no time for mosaics: flips and colours only.
data_root = 'data/synthetic_aerial/'
image_size = (256, 256)  # width, height
backend_args = None
metainfo = dict(
    classes=(
        'pedestrian',
        'people',
        'bicycle',
        'car',
        'van',
        'truck',
        'tricycle',
        'awning-tricycle',
        'bus',
        'motor',
    )
)
load = dict(type='LoadImageFromFile', backend_args=backend_args)
train_pipeline = [
    load,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='HsvGain', hue=0.015, saturation=0.5, value=0.3),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction')),
]
test_pipeline = [
    load,
    dict(type='Letterbox', scale=image_size),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'pad_offset'),
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VisDroneDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='visdrone_train.json',
        data_prefix=dict(img=''),
        filter_cfg=dict(filter_empty_gt=False, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VisDroneDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='visdrone_val.json',
        data_prefix=dict(img=''),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='VisDroneMetric', ann_file=data_root + 'visdrone_val.json')
test_evaluator = val_evaluator
