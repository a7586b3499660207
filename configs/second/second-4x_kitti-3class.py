# A student with half the teacher's widths, the sparse encoder's included. 1.343 M parameters.
_base_ = [
    '../_base_/second_kitti-3class.py',
    '../_base_/schedules/cyclic-40e.py',
    '../_base_/runtime.py',
]
model = dict(
    middle_encoder=dict(
        base_channels=8,
        encoder_channels=((8,), (16, 16, 16), (32, 32, 32), (32, 32, 32)),
        output_channels=64,
    ),
    backbone=dict(in_channels=128, out_channels=[64, 128]),
    neck=dict(in_channels=[64, 128], out_channels=[128, 128]),
    bbox_head=dict(in_channels=256, feat_channels=256),
)
