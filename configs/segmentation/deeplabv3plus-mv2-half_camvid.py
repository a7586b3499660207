# A small DeepLabV3+ for CamVid: MobileNetV2 at half its widths, stride 16, from scratch. 0.8 M parameters.
_base_ = [
    '../_base_/segmentation/deeplabv3plus.py',
    '../_base_/segmentation/camvid.py',
    '../_base_/schedules/poly-40k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        widen_factor=0.5,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
        norm_cfg=dict(type='SyncBN', requires_grad=True),
    ),
    decode_head=dict(
        in_channels=160, channels=64, c1_in_channels=16, c1_channels=16, dilations=(1, 6, 12, 18), num_classes=11
    ),
    auxiliary_head=dict(in_channels=48, channels=32, num_classes=11),
)
