# Local graphs on the pillars exactly as PointDistiller's code has them: from the first iteration, weight 1.
_base_ = ['./pointpillars-16x_kitti-3class.py']
distill = dict(
    teacher=dict(config='pointpillars_kitti-3class.py', checkpoint='work_dirs/pointpillars_kitti-3class/last.pth'),
    methods=[
        dict(type='LocalGraph', student='voxel_encoder', published=True, weight=1.0),
    ],
)
