# Where each class is active on the map of scores; temperature and weight as mmrazor released them for this data set.
_base_ = ['./hrnet-w18s_cityscapes.py']
distill = dict(
    teacher=dict(config='hrnet-w48_cityscapes.py', checkpoint='work_dirs/hrnet-w48_cityscapes/last.pth'),
    methods=[dict(type='ChannelWise', student='decode_head', tau=1.0, weight=5.0)],
)
