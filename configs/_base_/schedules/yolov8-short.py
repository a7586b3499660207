# AdamW and one cosine rise and fall of the learning rate, for a few hundred steps on one machine; no decay of scales
# and biases, which a SparsityHook would refuse.
iterations = 600
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    constructor='DecayGroups',
    clip_grad=dict(max_norm=50, norm_type=2),
)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=iterations, pct_start=0.2, div_factor=10, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
val_cfg = dict()
test_cfg = dict()
