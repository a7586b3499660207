# The teacher: HRNet-W48.
_base_ = [
    '../_base_/segmentation/hrnet.py',
    '../_base_/segmentation/cityscapes.py',
    '../_base_/schedules/poly-80k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w48')))
