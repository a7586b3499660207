# The published setting for YOLOv8m on VisDrone: sparsity, half of every layer, then learning from the dense network.
# pointkd compress configs/yolov8/yolov8_m_visdrone.py DENSE.pth --recipe configs/yolov8/recipes/visdrone_m.py --out DIR


def epochs(number):
    return [f'train_cfg.max_epochs={number}', f'param_scheduler.0.end={number}']


sparse = dict(
    hook=dict(strength=1e-3, kind='proximal', schedule='falling', bias_strength=1e-4),
    options=[*epochs(50), 'optim_wrapper.optimizer.lr=0.001'],
)
pruned = dict(ratio=0.5, importance='bn', scope='layer', multiple=8, fold=True, input_size=[640, 640])
fine_tuned = dict(options=epochs(100))
distilled = dict(
    options=epochs(100),
    methods=[
        dict(type='ChannelWise', student=f'neck[{level}]', teacher=f'neck[{level}]', tau=4.0, weight=10.0)
        for level in range(3)
    ],
)
export = dict()
