# The detector; `model.scale` makes it one of n, s, m, l, x (widths and depths: pointkd/models/yolov8/scale.py).
custom_imports = dict(
    imports=['pointkd.engine', 'pointkd.models.yolov8', 'pointkd.datasets.yolov8'], allow_failed_imports=False
)
default_scope = 'mmdet'
model = dict(
    type='YOLOv8',
    scale='n',
    channels_last=True,  # a tenth faster on processors, and what tensor cores want
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[0.0, 0.0, 0.0],
        std=[255.0, 255.0, 255.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        pad_value=114 / 255,  # padding comes after the division by 255
    ),
    backbone=dict(type='YOLOv8Backbone'),
    neck=dict(type='YOLOv8Neck'),
    # gradients are those of 64 images a step, whatever the batch, as the learning rate wants
    bbox_head=dict(type='YOLOv8Head', num_classes=80, nominal_batch=64),
    train_cfg=None,
    test_cfg=dict(score_thr=0.001, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=300),
)
