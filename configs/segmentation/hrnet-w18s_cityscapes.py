# The student: HRNet-W18-small, narrower and with half the blocks.
_base_ = [
    '../_base_/segmentation/hrnet.py',
    '../_base_/segmentation/cityscapes.py',
    '../_base_/schedules/poly-80k.py',
    '../_base_/segmentation/runtime.py',
]
model = dict(
    backbone=dict(
        extra=dict(
            stage1=dict(num_blocks=(2,)),
            stage2=dict(num_blocks=(2, 2), num_channels=(18, 36)),
            stage3=dict(num_modules=3, num_blocks=(2, 2, 2), num_channels=(18, 36, 72)),
            stage4=dict(num_modules=2, num_blocks=(2, 2, 2, 2), num_channels=(18, 36, 72, 144)),
        ),
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w18_small'),
    ),
    decode_head=dict(in_channels=[18, 36, 72, 144], channels=270),
)
