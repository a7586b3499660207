# The plain control of the local graphs: the pillars' features themselves.
_base_ = ['./pointpillars-16x_kitti-3class.py']
distill = dict(
    teacher=dict(config='pointpillars_kitti-3class.py', checkpoint='work_dirs/pointpillars_kitti-3class/last.pth'),
    methods=[
        dict(type='FeatureMimic', student='voxel_encoder', weight=1.0, schedule=dict(type='Warmup', end=500)),
    ],
)
