# Does distillation help a segmentor, and where classes meet most of all? A small PSPNet on CamVid, alone and with each
# method. Run with `pointkd results seg`; docs/suites.md explains each key.

# -- sizes: everything that decides how long a run takes ---------------------------------------------------------------
# A step of the student on 4 crops of 240 x 320 is 1.2 G multiply-adds forward and three times that with the way back;
# the teacher's forward adds 4.8 G. A distilled step takes 0.5 s on one thread, so 400 steps and the test on 233 images
# are about 4 minutes a run; the teacher's 1500 steps took 35.
ITERATIONS = 400
TEACHER_ITERATIONS = 1500
BATCH_SIZE = 4
CROP = (240, 320)  # height, width
DRIVE = '0006R0'  # of the training frames: settings are chosen on it, without training on it; val is seven seconds long
EVERYWHERE = dict(img_path='images', seg_map_path='labels')

# -- nets --------------------------------------------------------------------------------------------------------------
TRAINING = {
    'model.data_preprocessor.size': CROP,
    'train_dataloader.dataset.pipeline.3.crop_size': CROP,
    '+optim_wrapper.optimizer': dict(type='AdamW', lr=1e-3, weight_decay=0.01),
}
NARROW = {  # an eighth of ResNet-18's widths: 0.25 M parameters
    'model.backbone.stem_channels': 8,
    'model.backbone.base_channels': 8,
    'model.decode_head.in_channels': 64,
    'model.decode_head.channels': 32,
    'model.auxiliary_head.in_channels': 32,
    'model.auxiliary_head.channels': 16,
}

# -- methods -----------------------------------------------------------------------------------------------------------
SCORES, FEATURES = 'decode_head.conv_seg', 'decode_head.bottleneck'
warm_up = dict(type='Warmup', end=0.1)
logits = dict(type='Logits', student=SCORES, tau=4.0, weight=1.0, schedule=warm_up)
channel_wise = dict(type='ChannelWise', student=SCORES, tau=4.0, weight=3.0, schedule=warm_up)
published = dict(type='BoundaryPrivileged', student=SCORES, published=True, weight=1.0)
boundary = dict(  # bodies as much as ChannelWise was best with; edges as a mean over classes, their weight chosen
    type='BoundaryPrivileged', student=SCORES, over='mean', alpha=1.0, edge=1.0, body=10.0, weight=1.0, schedule=warm_up
)
dist = dict(type='DIST', student=SCORES, weight=1.0, schedule=warm_up)
WEIGHTS = {'distill.methods.0.weight': [1.0, 10.0]}
EDGES = {'distill.methods.0.edge': [1.0, 10.0]}


def scores(name, title, method, **entries):
    """A core row that learns from the teacher's scores."""
    return dict(name=name, title=title, config='student', options=NARROW, methods=[method], **entries)


def tuned(name, title, method, grid=WEIGHTS):
    """The same with a weight chosen on the held-out drive."""
    return scores(name, title, method, grid=grid, tuned=True)


def features(name, title, method):
    """An extension row that learns from the map before the scores."""
    methods = [dict(method, student=FEATURES, schedule=warm_up)]
    return dict(name=name, title=title, config='student', options=NARROW, methods=methods, group='extension')


def deeplab(name, title, method):
    """An extension row of a DeepLabV3+ that learns from the same teacher."""
    return dict(name=name, title=title, config='deeplab', methods=[method], compare='deeplab', group='extension')


# -- the suite ---------------------------------------------------------------------------------------------------------
suite = dict(
    title='Segmentation: PSPNet on CamVid',
    numerics=dict(precision='f32', threads=1, memory_format='contiguous'),
    seeds=3,
    control='student',
    losses=['decode.loss_ce', 'aux.loss_ce'],
    teachers=dict(
        camvid=dict(
            dataset='camvid',
            config='teacher',
            schedule=dict(iterations=TEACHER_ITERATIONS, batch_size=BATCH_SIZE, peak=2e-3),
            sha256='352cc8e6df3dfd95e90328de882a3b0fb105877f8a385a10599174f89542c790',
        )
    ),
    datasets=[
        dict(
            name='camvid',
            title='CamVid, 11 classes, 360 x 480',
            kind='images',
            root='camvid',
            prepare='create-data camvid --root {root} --out {out} --jobs 1',
            frames=dict(train=367, val=101, test=233),
            parts={
                part: {'test_dataloader.dataset.data_prefix': EVERYWHERE, '+test_dataloader.dataset.ann_file': names}
                for part, names in (('val', f'splits/train-{DRIVE}.txt'), ('test', 'splits/test.txt'))
            },
            trials={
                'train_dataloader.dataset.data_prefix': EVERYWHERE,
                '+train_dataloader.dataset.ann_file': f'splits/train-without-{DRIVE}.txt',
            },
            configs={
                'teacher': 'configs/segmentation/pspnet-lite0s_camvid.py',
                'student': 'configs/segmentation/pspnet-r18-4x_camvid.py',
                'deeplab': 'configs/segmentation/deeplabv3plus-mv2-half_camvid.py',
            },
            options=TRAINING,
            teacher='camvid',
            schedule=dict(iterations=ITERATIONS, batch_size=BATCH_SIZE, peak=4e-3),
            classes=['all'],
            columns=[
                dict(title='mIoU', metric='mIoU'),
                dict(title='trimap mIoU, 3 px', metric='boundary/trimap_mIoU_3'),
                dict(title='boundary F', metric='boundary/F'),
                dict(title='boundary IoU', metric='boundary/boundary_IoU'),
            ],
        )
    ],
    arms=[
        # core rows
        dict(name='student', title='student alone', config='student', options=NARROW),
        tuned('logits', 'Logits', logits),
        tuned('channel-wise', 'ChannelWise on scores', channel_wise),
        scores('boundary-published', 'BoundaryPrivileged, published', published),
        tuned('boundary', 'BoundaryPrivileged, clean', boundary, grid=EDGES),
        tuned('dist', 'DIST', dist),
        # extension rows, in the order in which they are made
        dict(name='deeplab', title='DeepLabV3+ alone', config='deeplab', compare='deeplab', group='extension'),
        deeplab('deeplab-channel-wise', 'DeepLabV3+, ChannelWise on scores', channel_wise),
        deeplab('deeplab-boundary', 'DeepLabV3+, BoundaryPrivileged, clean', boundary),
        features(
            'channel-wise-features',
            'ChannelWise on features',
            dict(type='ChannelWise', tau=1.0, weight=3.0),
        ),
        features('pair-wise', 'PairWise', dict(type='PairWise', pool=0.5, weight=1.0)),
        features('mgd', 'MGD', dict(type='MGD', hidden=0.65, weight=1e-3)),
        features(
            'intra-class-variation',
            'IntraClassVariation',
            dict(type='IntraClassVariation', classes=11, weight=10.0),
        ),
        features('cross-image', 'CrossImage', dict(type='CrossImage', classes=11, weight=1.0)),
        dict(
            name='student-equal-time',
            title='student alone, as long as BoundaryPrivileged takes',
            config='student',
            options=NARROW,
            equal_time_to='boundary',
            compare='boundary',
            group='extension',
        ),
    ],
)
