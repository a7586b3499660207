# The student of the demo with local graphs on the pillars and the teacher's class scores.
_base_ = ['./student.py']
distill = dict(
    teacher=dict(config='teacher.py', checkpoint='work_dirs/demo/teacher/last.pth'),
    methods=[
        dict(type='LocalGraph', student='voxel_encoder', weight=1.0, schedule=dict(type='Warmup', end=0.1)),
        dict(type='Logits', student='bbox_head.conv_cls', weight=1.0, schedule=dict(type='Warmup', end=0.1)),
    ],
)
