# AdamW with cyclic learning rate and momentum, as SECOND is trained on KITTI: 40 epochs of a data set that
# repeats every frame twice. The rate rises from lr to 10 lr over 40 % of the run and falls to 1e-4 lr; the momentum
# (beta 1) goes the other way, 0.95 -> 0.85 -> 0.95.
lr = 1.8e-3
epochs, rise = 40, 16
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.95, 0.99), weight_decay=0.01),
    clip_grad=dict(max_norm=10, norm_type=2),
)
up = dict(begin=0, end=rise, T_max=rise, by_epoch=True, convert_to_iter_based=True)
down = dict(begin=rise, end=epochs, T_max=epochs - rise, by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=10 * lr, **up),
    dict(type='CosineAnnealingLR', eta_min=1e-4 * lr, **down),
    dict(type='CosineAnnealingMomentum', eta_min=0.85 / 0.95, **up),
    dict(type='CosineAnnealingMomentum', eta_min=1, **down),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=48)  # 8 processes of 6 samples
