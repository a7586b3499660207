# Objects and background of all levels of the neck, and relations; weights as released for this detector.
_base_ = ['./retinanet-r18_coco.py']
distill = dict(
    teacher=dict(config='retinanet-r101_coco.py', checkpoint='work_dirs/retinanet-r101_coco/last.pth'),
    methods=[
        dict(type='FGD', student='neck', levels=[1, 1, 1, 1, 1]),
    ],
)
