_base_ = [
    '../_base_/yolov8.py',
    '../_base_/yolov8_visdrone.py',
    '../_base_/schedules/yolov8-500e.py',
    '../_base_/detection/runtime.py',
]
model = dict(scale='n', bbox_head=dict(num_classes=10), test_cfg=dict(max_per_img=500))
