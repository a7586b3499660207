# Where each channel of the neck is active; temperature and weight as released for dense detectors.
_base_ = ['./pointpillars-4x_kitti-3class.py']
distill = dict(
    teacher=dict(config='pointpillars_kitti-3class.py', checkpoint='work_dirs/pointpillars_kitti-3class/last.pth'),
    methods=[
        dict(type='ChannelWise', student='neck[0]', tau=1.0, weight=10.0, schedule=dict(type='Warmup', end=500)),
    ],
)
