# Where each class is active on the map of scores; temperature and weight as mmrazor released them for this data set.
_base_ = ['./deeplabv3plus-mv2_cityscapes.py']
distill = dict(
    teacher=dict(
        config='deeplabv3plus-r101_cityscapes.py', checkpoint='work_dirs/deeplabv3plus-r101_cityscapes/last.pth'
    ),
    methods=[dict(type='ChannelWise', student='decode_head', tau=1.0, weight=5.0)],
)
