# The student: PSPNet on ResNet-18, with a quarter of the head's widths.
_base_ = [
    '../_base_/segmentation/pspnet.py',
    '../_base_/segmentation/cityscapes.py',
    '../_base_/schedules/poly-80k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet18_v1c')),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64),
)
