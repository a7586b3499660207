# Correlation with the four finest levels of the neck; weight as released for this detector.
_base_ = ['./faster-rcnn-r18_coco.py']
distill = dict(
    teacher=dict(config='faster-rcnn-r101_coco.py', checkpoint='work_dirs/faster-rcnn-r101_coco/last.pth'),
    methods=[
        dict(type='PKD', student='neck', levels=[1, 1, 1, 1, 0], weight=6.0),
    ],
)
