# A student with half the teacher's widths: 32; 32, 64, 128; 64. 1.217 M parameters.
_base_ = [
    '../_base_/pointpillars_kitti-3class.py',
    '../_base_/schedules/cyclic-80e.py',
    '../_base_/runtime.py',
]
model = dict(
    voxel_encoder=dict(feat_channels=[32]),
    middle_encoder=dict(in_channels=32),
    backbone=dict(in_channels=32, out_channels=[32, 64, 128]),
    neck=dict(in_channels=[32, 64, 128], out_channels=[64, 64, 64]),
    bbox_head=dict(in_channels=192, feat_channels=192),
)
