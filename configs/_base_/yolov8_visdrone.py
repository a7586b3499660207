# VisDrone-DET as `pointkd create-data visdrone` writes it (10 classes): mosaic, size and place, mix-up, colours and
# flip in training, a letterbox in tests.
data_root = 'data/visdrone/'
image_size = (640, 640)  # width, height
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


def augmentation(scale, mix_up):
    mosaic = [
        dict(type='MosaicCanvas', img_scale=image_size, pad_val=114.0),
        dict(type='CentredAffine', size=image_size, scale=scale, translate=0.1),
    ]
    return [
        *mosaic,
        dict(type='MosaicMixUp', prob=mix_up, pipeline=mosaic),
        dict(type='HsvGain', hue=0.015, saturation=0.7, value=0.4),
        dict(type='RandomFlip', prob=0.5),
        dict(
            type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction')
        ),
    ]


# What the sizes train with; the names are those of the configs that take them.
augmentation_n = augmentation(scale=0.5, mix_up=0.0)
augmentation_m = augmentation(scale=0.9, mix_up=0.1)
augmentation_l = augmentation(scale=0.9, mix_up=0.15)

test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='Letterbox', scale=image_size),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'pad_offset'),
    ),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='VisDroneDataset',
            data_root=data_root,
            metainfo=metainfo,
            ann_file='visdrone_train.json',
            data_prefix=dict(img=''),
            filter_cfg=dict(filter_empty_gt=False, min_size=32),
            pipeline=[
                dict(type='LoadImageFromFile', backend_args=backend_args),
                dict(type='LoadAnnotations', with_bbox=True),
            ],
        ),
        pipeline=augmentation_n,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
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
