# Where each channel of the neck's maps is active, the map of stride 8 (small objects) first; class scores and how sure
# the teacher is of each side of a box.
_base_ = ['./yolov8_n_visdrone.py']
distill = dict(
    teacher=dict(config='yolov8_m_visdrone.py', checkpoint='work_dirs/yolov8_m_visdrone/last.pth'),
    methods=[
        dict(type='ChannelWise', student='neck', levels=[2.0, 1.0, 0.5], tau=1.0, weight=1.0),
        dict(type='Logits', student='bbox_head[0]', tau=1.0, weight=1.0),
        dict(type='LD', student='bbox_head', tau=2.0, weight=0.25),
    ],
)
