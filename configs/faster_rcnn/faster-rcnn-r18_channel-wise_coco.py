# Where each channel of each level of the neck is active; temperature and weight as released for these detectors.
_base_ = ['./faster-rcnn-r18_coco.py']
distill = dict(
    teacher=dict(config='faster-rcnn-r101_coco.py', checkpoint='work_dirs/faster-rcnn-r101_coco/last.pth'),
    methods=[
        dict(type='ChannelWise', student='neck', levels=[1, 1, 1, 1, 1], tau=1.0, weight=10.0),
    ],
)
