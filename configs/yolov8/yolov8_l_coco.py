_base_ = [
    '../_base_/yolov8.py',
    '../_base_/yolov8_coco.py',
    '../_base_/schedules/yolov8-500e.py',
    '../_base_/detection/runtime.py',
]
model = dict(scale='l')
train_dataloader = dict(dataset=dict(pipeline={{_base_.augmentation_l}}))
