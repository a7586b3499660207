# What does a pruned detector of small objects lose, and what does learning from the unpruned one give back? A YOLOv8 of
# width n on generated aerial images. Run with `pointkd results 2d`; docs/suites.md explains each key.

# -- sizes: everything that decides how long a run takes ---------------------------------------------------------------
# A step of 8 images of 256 x 256 is 5.2 G multiply-adds forward and three times that with the way back: 0.5 s on one
# thread. The dense row's 600 steps are 5 minutes, a stage of 300 half of that.
STEPS = 300  # of a stage
BATCH_SIZE = 8
IMAGES = dict(train=1500, val=200, test=300)

# -- stages ------------------------------------------------------------------------------------------------------------
sparsity = dict(type='SparsityHook', strength=0.3, kind='proximal', schedule='constant', interval=STEPS // 10)
HALF = '--ratio 0.5 --scope layer --multiple 8 --fold'
warm_up = dict(type='Warmup', end=0.1)
channel_wise = dict(  # the map of stride 8 has most of the small objects
    type='ChannelWise', student='neck', levels=[2.0, 1.0, 0.5], tau=1.0, weight=1.0, schedule=warm_up
)
logits = dict(type='Logits', student='bbox_head[0]', tau=1.0, weight=1.0, schedule=warm_up)
ld = dict(type='LD', student='bbox_head', tau=2.0, weight=0.25, schedule=warm_up)


def cut(name, title, *, prune=f'{HALF} --importance bn', start='sparse', **entries):
    """A row that trains a pruned network: one stage before, one after the cut."""
    return dict(name=name, title=title, config='n', start=dict(arm=start, prune=prune), **entries)


# -- the suite ---------------------------------------------------------------------------------------------------------
suite = dict(
    title='Images: YOLOv8, pruned',
    numerics=dict(precision='f32', threads=1, memory_format='channels_last'),
    seeds=3,
    control='pruned',
    losses=['loss_cls', 'loss_bbox', 'loss_dfl'],
    datasets=[
        dict(
            name='aerial',
            title='Generated aerial images, ten classes, 256 x 256',
            kind='images',
            make=f'create-data synthetic-aerial --images {IMAGES["train"]} --val {IMAGES["val"]} '
            f'--test {IMAGES["test"]} --seed 0 --size 256',
            prepare='create-data visdrone --root {out} --jobs 1',
            frames=IMAGES,
            parts={
                part: {
                    'test_dataloader.dataset.ann_file': f'visdrone_{file}.json',
                    'test_evaluator.ann_file': f'{{data}}/visdrone_{file}.json',
                }
                for part, file in (('val', 'val'), ('test', 'test-dev'))
            },
            configs={'n': 'configs/yolov8/yolov8_n_synthetic-aerial.py'},
            schedule=dict(iterations=STEPS, batch_size=BATCH_SIZE, peak=2e-3, rise=0.2),
            classes=['all'],
            columns=[
                dict(title='AP50', metric='visdrone/AP50'),
                dict(title='AP', metric='visdrone/AP'),
                dict(title='AP small', metric='visdrone/small_AP'),
                dict(title='AP medium', metric='visdrone/medium_AP'),
                dict(title='AR500', metric='visdrone/AR500'),
            ],
            note='Rows of a pruned net count one stage before the cut and one after it; the dense row both.',
        )
    ],
    arms=[
        # core rows
        dict(name='dense', title='dense, both stages', config='n', longer=2.0, compare='dense'),
        dict(
            name='sparse',
            title='dense with sparsity, first stage',
            config='n',
            options={'+custom_hooks': [sparsity]},
            compare='dense',
        ),
        cut('pruned', 'half of every layer cut, fine-tuned', compare='dense'),
        cut('channel-wise', 'the same + ChannelWise', learns_from='dense', methods=[channel_wise]),
        cut(
            'channel-wise+logits+ld',
            'the same + ChannelWise + Logits + LD',
            learns_from='dense',
            methods=[channel_wise, logits, ld],
        ),
        cut('random', 'half of every layer cut at random, fine-tuned', prune=f'{HALF} --importance random'),
        # extension rows, in the order in which they are made
        dict(name='first', title='dense, first stage', config='n', compare='dense', group='extension'),
        cut('no-sparsity', 'cut without sparsity before, fine-tuned', start='first', group='extension'),
        cut(
            'third',
            'a third of every layer cut, fine-tuned',
            prune=f'{HALF.replace("0.5", "0.33")} --importance bn',
            group='extension',
        ),
        cut(
            'two-thirds',
            'two thirds of every layer cut, fine-tuned',
            prune=f'{HALF.replace("0.5", "0.67")} --importance bn',
            group='extension',
        ),
    ],
)
