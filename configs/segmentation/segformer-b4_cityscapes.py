# The teacher: SegFormer-B4.
_base_ = [
    '../_base_/segmentation/segformer.py',
    '../_base_/segmentation/cityscapes-1024x1024.py',
    '../_base_/schedules/adamw-poly-160k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b4_20220624-d588d980.pth',
        ),
    ),
)
