# The best combination of docs/results.md: the teacher's weights cut to the student's widths, and local graphs on the
# class scores, centred where the teacher sees objects.
_base_ = ['./pointpillars-4x_kitti-3class.py']
distill = dict(
    teacher=dict(
        config='pointpillars_kitti-3class.py',
        checkpoint='work_dirs/pointpillars_kitti-3class/last.pth',
    ),
    methods=[
        dict(type='TeacherInit'),
        dict(
            type='LocalGraph',
            student='bbox_head.conv_cls',
            score='confidence',
            confidence='bbox_head.conv_cls',
            neighbors_in='space',
            samples=256,
            neighbors=16,
            weight=3.0,
            schedule=dict(type='Warmup', end=0.1),
        ),
    ],
)
