# Local graphs on both stages of the bird's-eye backbone.
_base_ = ['./second-4x_kitti-3class.py']
distill = dict(
    teacher=dict(config='second_kitti-3class.py', checkpoint='work_dirs/second_kitti-3class/last.pth'),
    methods=[
        dict(type='LocalGraph', student='backbone[0]', weight=1.0, schedule=dict(type='Warmup', end=500)),
        dict(type='LocalGraph', student='backbone[1]', weight=1.0, schedule=dict(type='Warmup', end=500)),
    ],
)
