# Starts from the teacher's weights, cut to the student's widths; then trains on the labels alone.
_base_ = ['./pointpillars-4x_kitti-3class.py']
distill = dict(
    teacher=dict(config='pointpillars_kitti-3class.py', checkpoint='work_dirs/pointpillars_kitti-3class/last.pth'),
    methods=[
        dict(type='TeacherInit'),
    ],
)
