# The teacher: DeepLabV3+ on ResNet-101.
_base_ = [
    '../_base_/segmentation/deeplabv3plus.py',
    '../_base_/segmentation/cityscapes.py',
    '../_base_/schedules/poly-80k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c')))
