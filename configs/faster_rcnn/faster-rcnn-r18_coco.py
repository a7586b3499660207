# Faster R-CNN on ResNet-18: the student; neck and heads as wide as the teacher's.
_base_ = [
    '../_base_/detection/faster-rcnn.py',
    '../_base_/detection/coco.py',
    '../_base_/detection/sgd-12e.py',
    '../_base_/detection/runtime.py',
]
model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
