# RetinaNet on ResNet-101: the teacher. The public weights of mmdet's stock config fit too.
_base_ = [
    '../_base_/detection/retinanet.py',
    '../_base_/detection/coco.py',
    '../_base_/detection/sgd-12e.py',
    '../_base_/detection/runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=0.01))
