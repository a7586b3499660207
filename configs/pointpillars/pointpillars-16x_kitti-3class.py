# A student with a quarter of the teacher's widths: 16; 16, 32, 64; 32. 0.309 M parameters.
_base_ = [
    '../_base_/pointpillars_kitti-3class.py',
    '../_base_/schedules/cyclic-80e.py',
    '../_base_/runtime.py',
]
model = dict(
    voxel_encoder=dict(feat_channels=[16]),
    middle_encoder=dict(in_channels=16),
    backbone=dict(in_channels=16, out_channels=[16, 32, 64]),
    neck=dict(in_channels=[16, 32, 64], out_channels=[32, 32, 32]),
    bbox_head=dict(in_channels=96, feat_channels=96),
)
