# The student: SegFormer-B0.
_base_ = [
    '../_base_/segmentation/segformer.py',
    '../_base_/segmentation/cityscapes-1024x1024.py',
    '../_base_/schedules/adamw-poly-160k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    backbone=dict(
        embed_dims=32,
        num_layers=[2, 2, 2, 2],
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth',
        ),
    ),
    decode_head=dict(in_channels=[32, 64, 160, 256]),
)
