# How sure the teacher is of each side of a box, around the annotated boxes; temperature and weight as released.
_base_ = ['./gfl-r18_coco.py']
distill = dict(
    teacher=dict(config='gfl-r101_coco.py', checkpoint='work_dirs/gfl-r101_coco/last.pth'),
    methods=[
        dict(type='LD', student='bbox_head', region='boxes', tau=10.0, weight=0.25),
    ],
)
