# The small student: half the widths of PSPNet-R18, from scratch. 3.2 M parameters.
_base_ = [
    '../_base_/segmentation/pspnet.py',
    '../_base_/segmentation/camvid.py',
    '../_base_/schedules/poly-40k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(depth=18, stem_channels=32, base_channels=32),
    decode_head=dict(in_channels=256, channels=64, num_classes=11),
    auxiliary_head=dict(in_channels=128, channels=32, num_classes=11),
)
