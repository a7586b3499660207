_base_ = [
    '../_base_/yolov8.py',
    '../_base_/yolov8_synthetic-aerial.py',
    '../_base_/schedules/yolov8-short.py',
    '../_base_/detection/runtime.py',
]
model = dict(scale='n', bbox_head=dict(num_classes=10, nominal_batch=None), test_cfg=dict(max_per_img=300))
log_processor = dict(by_epoch=False)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(by_epoch=False, interval=600))
