# PSPNet on ResNet-18, from scratch. 12.8 M parameters.
_base_ = [
    '../_base_/segmentation/pspnet.py',
    '../_base_/segmentation/camvid.py',
    '../_base_/schedules/poly-40k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128, num_classes=11),
    auxiliary_head=dict(in_channels=256, channels=64, num_classes=11),
)
