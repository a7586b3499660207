# Class scores of the anchors that the teacher is sure about.
_base_ = ['./pointpillars-4x_kitti-3class.py']
distill = dict(
    teacher=dict(config='pointpillars_kitti-3class.py', checkpoint='work_dirs/pointpillars_kitti-3class/last.pth'),
    methods=[
        dict(type='Logits', student='bbox_head.conv_cls', tau=1.0, weight=1.0, schedule=dict(type='Warmup', end=500)),
    ],
)
