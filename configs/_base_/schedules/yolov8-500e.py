# SGD with Nesterov momentum, 64 images a step (4 batches of 16 on one process): 3 epochs of warm-up, then the rate
# falls in a line from 0.01 to 1e-4; an average of the weights is evaluated; the last 10 epochs go without mosaic and
# mix-up. On several processes lower `accumulative_counts`.
lr, momentum = 0.01, 0.937
epochs, warm_up, plain_epochs = 500, 3, 10
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=momentum, nesterov=True, weight_decay=5e-4),
    constructor='DecayGroups',
    accumulative_counts=4,
    clip_grad=dict(max_norm=10, norm_type=2),
)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='WarmUpThenLinear', bias_start=0.1, warm_up=warm_up, final=0.01, begin=0, end=epochs, **iterations),
    dict(type='LinearMomentum', start_factor=0.8 / momentum, begin=0, end=warm_up, **iterations),
]
custom_hooks = [
    dict(type='EMAHook', ema_type='SettlingEMA', momentum=1e-4, gamma=2000, update_buffers=True, priority=49),
    dict(type='YOLOXModeSwitchHook', num_last_epochs=plain_epochs, skip_type_keys=('MosaicCanvas', 'MosaicMixUp')),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=64)
