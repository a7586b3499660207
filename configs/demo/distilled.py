# The student of the demo from the teacher's weights cut to its widths, with local graphs on the class scores, centred
# where the teacher sees objects: the best combination of docs/results.md.
_base_ = ['./student.py']
distill = dict(
    teacher=dict(config='teacher.py', checkpoint='work_dirs/demo/teacher/last.pth'),
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
