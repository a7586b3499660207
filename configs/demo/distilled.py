# The student of the demo from the teacher's weights cut to its widths, with local graphs on the map that the head reads
# (centred where the teacher sees objects) and the teacher's class scores.
_base_ = ['./student.py']
distill = dict(
    teacher=dict(config='teacher.py', checkpoint='work_dirs/demo/teacher/last.pth'),
    methods=[
        dict(type='TeacherInit'),
        dict(
            type='LocalGraph',
            student='neck[0]',
            score='confidence',
            confidence='bbox_head.conv_cls',
            samples=256,
            weight=3.0,
            schedule=dict(type='Warmup', end=0.1),
        ),
        dict(type='Logits', student='bbox_head.conv_cls', weight=1.0, schedule=dict(type='Warmup', end=0.1)),
    ],
)
