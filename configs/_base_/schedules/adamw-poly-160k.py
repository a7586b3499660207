# AdamW with warm-up and a linear fall of the rate over 160 000 iterations of 8 images, as SegFormer is trained: no
# decay of norms and position blocks, ten times the rate in the head.
iterations = 160_000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys={'pos_block': dict(decay_mult=0.0), 'norm': dict(decay_mult=0.0), 'head': dict(lr_mult=10.0)}
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=iterations, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=16000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)  # 8 processes of 1 image
