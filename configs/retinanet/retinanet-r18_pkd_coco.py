# Correlation with the four finest levels of the neck; weight as released for this detector.
_base_ = ['./retinanet-r18_coco.py']
distill = dict(
    teacher=dict(config='retinanet-r101_coco.py', checkpoint='work_dirs/retinanet-r101_coco/last.pth'),
    methods=[
        dict(type='PKD', student='neck', levels=[1, 1, 1, 1, 0], weight=10.0),
    ],
)
