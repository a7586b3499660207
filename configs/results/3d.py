# Does distillation help on point clouds? 4x PointPillars, alone and with each method, on real and on synthetic scans.
# Run with `pointkd results 3d`; docs/suites.md explains each key.

# -- sizes: everything that decides how long a run takes ---------------------------------------------------------------
# A run: 1000 steps of 0.08 s (student alone) to 0.17 s (distilled) on one thread and 40 s for three processes and the
# evaluation are 2 to 3.5 minutes; published local graphs take 3.5 to 8.5. Two runs of one thread at once (--jobs 2)
# finish sooner than one run of two threads alone: steps this small leave a second thread waiting. Core rows: 42 runs,
# 1 hour 15 minutes on two cores.
ITERATIONS = dict(astyx=1000, synthetic=1000, kitti=800)
TEACHER_ITERATIONS = dict(astyx=3000, second=4000, kitti=3000)
BATCH_SIZE = 2
SCENES = dict(train=400, val=100, test=200)  # synthetic
SHALLOW = {'model.backbone.layer_nums': [3, 3, 3]}  # on KITTI's frames: quicker, and a teacher below 2 MB

# -- nets --------------------------------------------------------------------------------------------------------------
WIDTHS_16X = {  # a quarter of the teacher's widths
    'model.voxel_encoder.feat_channels': [8],
    'model.middle_encoder.in_channels': 8,
    'model.backbone.in_channels': 8,
    'model.backbone.out_channels': [8, 16, 32],
    'model.neck.in_channels': [8, 16, 32],
    'model.neck.out_channels': [16, 16, 16],
    'model.bbox_head.in_channels': 48,
    'model.bbox_head.feat_channels': 48,
}
NEAR = [0, -20.48, -3, 46.08, 20.48, 1]  # range of the synthetic set, metres
SECOND_NEAR = {  # SECOND on this range, with voxels of 0.08 m, and shallow: its teacher has to stay below 2 MB
    'model.data_preprocessor.voxel_layer.point_cloud_range': NEAR,
    'model.data_preprocessor.voxel_layer.voxel_size': [0.08, 0.08, 0.1],
    'model.middle_encoder.sparse_shape': [41, 512, 576],
    'model.backbone.layer_nums': [3, 3],
    'model.bbox_head.anchor_generator.ranges': [[*NEAR[:2], z, *NEAR[3:5], z] for z in (-1.7, -1.7, -1.75)],
    'model.bbox_head.anchor_generator.sizes': [[0.8, 0.7, 1.75], [1.76, 0.63, 1.9], [4.1, 1.7, 1.55]],
    'train_dataloader.dataset.dataset.pipeline.6.point_cloud_range': NEAR,
    'train_dataloader.dataset.dataset.pipeline.7.point_cloud_range': NEAR,
    'test_dataloader.dataset.pipeline.1.point_cloud_range': NEAR,
}
SECOND_STUDENT = {  # half the widths of that teacher
    **SECOND_NEAR,
    'model.middle_encoder.base_channels': 4,
    'model.middle_encoder.encoder_channels': ((4,), (8, 8, 8), (16, 16, 16), (16, 16, 16)),
    'model.middle_encoder.output_channels': 32,
    'model.backbone.in_channels': 64,
    'model.backbone.out_channels': [32, 64],
    'model.neck.in_channels': [32, 64],
    'model.neck.out_channels': [64, 64],
    'model.bbox_head.in_channels': 128,
    'model.bbox_head.feat_channels': 128,
}

# -- methods -----------------------------------------------------------------------------------------------------------
warm_up = dict(type='Warmup', end=0.1)
published = dict(type='LocalGraph', student='voxel_encoder', published=True, weight=1.0)
local_graph = dict(type='LocalGraph', student='voxel_encoder', weight=100.0, schedule=warm_up)  # tuned on both sets
channel_wise = dict(type='ChannelWise', student='neck[0]', tau=1.0, weight=10.0, schedule=warm_up)
logits = dict(type='Logits', student='bbox_head.conv_cls', tau=1.0, weight=1.0, schedule=warm_up)
feature_mimic = dict(type='FeatureMimic', student='voxel_encoder', weight=1.0, schedule=warm_up)
teacher_init = dict(type='TeacherInit')
local_graph_bev = dict(  # where the teacher sees objects, on the map that the head reads
    type='LocalGraph',
    student='neck[0]',
    score='confidence',
    confidence='bbox_head.conv_cls',
    samples=256,
    weight=3.0,
    schedule=warm_up,
)
local_graph_scores = dict(  # the same on the class scores themselves, and how they fall off around an object
    type='LocalGraph',
    student='bbox_head.conv_cls',
    score='confidence',
    confidence='bbox_head.conv_cls',
    neighbors_in='space',
    samples=256,
    neighbors=16,
    weight=3.0,  # chosen on Astyx, taken over on the streets
    schedule=warm_up,
)
best = [teacher_init, local_graph_scores]

# -- the suite ---------------------------------------------------------------------------------------------------------


def schedule(iterations):
    return dict(iterations=iterations, batch_size=BATCH_SIZE)


def pillars(config, **entries):
    """A row of PointPillars, on the sets that have this net."""
    return dict(config=config, **{'datasets': ['astyx', 'synthetic'], **entries})


suite = dict(
    title='Point clouds: PointPillars and SECOND',
    numerics=dict(precision='f32', threads=1, memory_format='contiguous'),
    seeds=3,
    control='student',
    teachers=dict(
        astyx=dict(
            dataset='astyx',
            config='teacher',
            schedule=schedule(TEACHER_ITERATIONS['astyx']),
            sha256='ad68fb7c84c1e2b46568ddc8cab56ead1d24d28c70689eea6733a4e47e8d0c88',
        ),
        synthetic=dict(  # has seen 450 other scenes
            dataset='synthetic',
            config='teacher',
            made='python tools/make_demo_teacher.py',
            file='data/demo/teacher.pth',
            seed=1,
            sha256='7b1a328982c3a2f4e72ad8d74567088a01d4278e9ceff59a76fbe632db29e662',
        ),
        second=dict(
            dataset='synthetic',
            config='second',
            options=SECOND_NEAR,
            schedule=schedule(TEACHER_ITERATIONS['second']),
        ),
        kitti=dict(dataset='kitti', config='teacher', schedule=schedule(TEACHER_ITERATIONS['kitti'])),
    ),
    datasets=[
        dict(
            name='astyx',
            title='Astyx HiRes 2019, cars in scans of 16 beams',
            root='astyx',
            lists=dict(train='train', val='val', test='test'),
            prepare='--classes Car',
            configs={
                'teacher': 'configs/pointpillars/pointpillars_astyx.py',
                '4x': 'configs/pointpillars/pointpillars-4x_astyx.py',
            },
            teacher='astyx',
            schedule=schedule(ITERATIONS['astyx']),
            classes=['Car'],
            overlaps={'0.5': {'Car': 0.5}},
            columns=[
                dict(title='3D 0.5', metric='3d', overlaps='0.5'),
                dict(title='BEV 0.5', metric='bev', overlaps='0.5'),
                dict(title='3D 0.7', metric='3d'),
                dict(title='BEV 0.7', metric='bev'),
            ],
        ),
        dict(
            name='synthetic',
            title='Synthetic streets, three classes',
            make=f'create-data synthetic-kitti --scenes {sum(SCENES.values())} --seed 0',
            frames=SCENES,
            configs={
                'teacher': 'configs/demo/teacher.py',
                '4x': 'configs/demo/student.py',
                'second': 'configs/second/second-4x_kitti-3class.py',
            },
            teacher='synthetic',
            schedule=schedule(ITERATIONS['synthetic']),
            classes=['Car', 'Pedestrian', 'Cyclist'],
            columns=[
                dict(title='3D mean', metric='3d'),
                dict(title='BEV mean', metric='bev'),
                dict(title='3D car', metric='3d', classes=['Car']),
                dict(title='3D pedestrian', metric='3d', classes=['Pedestrian']),
                dict(title='3D cyclist', metric='3d', classes=['Cyclist']),
            ],
            note='3D and BEV at the official overlaps: 0.7 for cars, 0.5 for pedestrians and cyclists.',
        ),
        dict(
            name='kitti',
            title='A few KITTI frames',
            group='extension',
            arms=['student', 'best'],
            root='kitti',
            lists=dict(train='mini_train', val='mini_val', test='mini_val'),
            configs={
                'teacher': 'configs/pointpillars/pointpillars_kitti-mini.py',
                '4x': 'configs/pointpillars/pointpillars-4x_kitti-mini.py',
            },
            options=SHALLOW,
            teacher='kitti',
            schedule=schedule(ITERATIONS['kitti']),
            classes=['Car', 'Pedestrian', 'Cyclist'],
            columns=[
                dict(title='3D mean', metric='3d'),
                dict(title='BEV mean', metric='bev'),
                dict(title='3D car', metric='3d', classes=['Car']),
            ],
            note='26 frames of 15 drives: far too few to tell two methods apart.',
        ),
    ],
    arms=[
        # core rows
        dict(name='student', title='4x alone', config='4x'),
        pillars('4x', name='local-graph-published', title='LocalGraph, published', methods=[published]),
        pillars(
            '4x',
            name='local-graph',
            title='LocalGraph, clean',
            methods=[local_graph],
            grid={'distill.methods.0.weight': [1.0, 10.0, 100.0]},
            tuned=True,
        ),
        pillars(
            '4x',
            name='channel-wise',
            title='ChannelWise',
            methods=[channel_wise],
            grid={'distill.methods.0.weight': [3.0, 10.0, 30.0]},
            tuned=True,
        ),
        pillars(
            '4x',
            name='logits',
            title='Logits',
            methods=[logits],
            grid={'distill.methods.0.weight': [0.3, 2.0, 10.0]},
            tuned=True,
        ),
        pillars('4x', name='teacher-init', title='TeacherInit', methods=[teacher_init]),
        pillars(
            '4x',
            name='teacher-init+local-graph',
            title='TeacherInit + LocalGraph, clean',
            methods=[teacher_init, local_graph],
        ),
        # extension rows, in the order in which they are made
        pillars(
            '4x',
            name='local-graph-bev',
            title="LocalGraph on the neck's map, centres by the teacher's confidence",
            methods=[local_graph_bev],
            grid={'distill.methods.0.weight': [3.0, 30.0, 300.0]},
            tuned=True,
            group='extension',
        ),
        pillars(
            '4x',
            name='local-graph-scores',
            title="LocalGraph on the class scores, centres by the teacher's confidence",
            also=['logits'],
            methods=[local_graph_scores],
            grid={'distill.methods.0.weight': [0.3, 1.0, 3.0]},
            group='extension',
        ),
        pillars(
            '4x',
            name='feature-mimic',
            title='FeatureMimic',
            methods=[feature_mimic],
            grid={'distill.methods.0.weight': [1.0, 10.0, 100.0]},
            group='extension',
        ),
        pillars(
            '4x',
            name='teacher-init+logits',
            title='TeacherInit + Logits',
            methods=[teacher_init, logits],
            group='extension',
        ),
        dict(
            name='best',
            title='TeacherInit + LocalGraph on the class scores',
            also=['teacher-init'],
            config='4x',
            methods=best,
            group='extension',
        ),
        pillars('4x', name='16x', title='16x alone', options=WIDTHS_16X, compare='16x', group='extension'),
        pillars(
            '4x',
            name='16x-local-graph',
            title='16x, LocalGraph, clean',
            options=WIDTHS_16X,
            methods=[local_graph],
            compare='16x',
            group='extension',
        ),
        pillars(
            '4x',
            name='16x-best',
            title='16x, TeacherInit + LocalGraph on the class scores',
            options=WIDTHS_16X,
            methods=best,
            compare='16x',
            group='extension',
        ),
        pillars(
            '4x',
            name='student-equal-time',
            title='4x alone, as long as LocalGraph takes',
            equal_time_to='local-graph',
            compare='local-graph',
            group='extension',
        ),
        pillars(
            '4x',
            name='logits-equal-time',
            title='Logits, as long as LocalGraph takes',
            methods=[logits],
            equal_time_to='local-graph',
            compare='local-graph',
            group='extension',
        ),
        pillars(
            '4x',
            name='local-graph-scores-centres',
            title='LocalGraph on the class scores, centres alone',
            methods=[dict(local_graph_scores, neighbors=1)],
            compare='local-graph-scores',
            group='extension',
        ),
        pillars(
            '4x',
            name='local-graph-in-space',
            title='LocalGraph, neighbours in space',
            methods=[dict(local_graph, neighbors_in='space')],
            compare='local-graph',
            group='extension',
        ),
        pillars(
            '4x',
            name='local-graph-equal-weights',
            title='LocalGraph, all centres alike',
            methods=[dict(local_graph, tau=float('inf'))],
            compare='local-graph',
            group='extension',
        ),
        pillars(
            '4x',
            name='local-graph-confidence',
            title="LocalGraph on the pillars, centres by the teacher's confidence",
            methods=[dict(local_graph, score='confidence', confidence='bbox_head.conv_cls')],
            compare='local-graph',
            group='extension',
        ),
        dict(
            name='second-4x',
            title='SECOND 4x alone',
            config='second',
            options=SECOND_STUDENT,
            datasets=['synthetic'],
            compare='second-4x',
            group='extension',
        ),
        dict(
            name='second-4x-local-graph',
            title='SECOND 4x, LocalGraph, clean',
            config='second',
            options=SECOND_STUDENT,
            methods=[dict(local_graph, student='backbone[0]'), dict(local_graph, student='backbone[1]')],
            teacher='second',
            datasets=['synthetic'],
            compare='second-4x',
            group='extension',
        ),
    ],
)
