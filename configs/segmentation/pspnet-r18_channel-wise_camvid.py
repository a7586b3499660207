# Where each class is active on the map of scores; temperature and weight as mmrazor released them for Cityscapes.
_base_ = ['./pspnet-r18_camvid.py']
distill = dict(
    teacher=dict(config='pspnet-lite0_camvid.py', checkpoint='work_dirs/pspnet-lite0_camvid/last.pth'),
    methods=[dict(type='ChannelWise', student='decode_head', tau=1.0, weight=5.0)],
)
