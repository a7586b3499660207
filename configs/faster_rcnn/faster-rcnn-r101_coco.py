# Faster R-CNN on ResNet-101: the teacher. The public weights of mmdet's stock config fit too.
_base_ = [
    '../_base_/detection/faster-rcnn.py',
    '../_base_/detection/coco.py',
    '../_base_/detection/sgd-12e.py',
    '../_base_/detection/runtime.py',
]
