# The student: DeepLabV3+ on MobileNetV2.
_base_ = [
    '../_base_/segmentation/deeplabv3plus.py',
    '../_base_/segmentation/cityscapes.py',
    '../_base_/schedules/poly-80k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        widen_factor=1.0,
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(1, 2, 4, 6),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        init_cfg=dict(type='Pretrained', checkpoint='mmcls://mobilenet_v2'),
    ),
    decode_head=dict(in_channels=320, channels=512, c1_in_channels=24),
    auxiliary_head=dict(in_channels=96),
)
