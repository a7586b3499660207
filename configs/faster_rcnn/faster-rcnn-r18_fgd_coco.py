# Objects and background of all levels of the neck, and relations; weights as released for two-stage detectors.
_base_ = ['./faster-rcnn-r18_coco.py']
distill = dict(
    teacher=dict(config='faster-rcnn-r101_coco.py', checkpoint='work_dirs/faster-rcnn-r101_coco/last.pth'),
    methods=[
        dict(type='FGD', student='neck', levels=[1, 1, 1, 1, 1], alpha=5e-5, beta=2.5e-5, gamma=5e-5, lambda_=5e-7),
    ],
)
