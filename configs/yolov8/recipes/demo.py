# What `pointkd demo yolo` does with its dense network; the demo sets the number of steps of each stage.
# The level of stride 8 has most of the small objects, so its map counts most.
sparse = dict(hook=dict(strength=0.3, kind='proximal', schedule='constant', bias_strength=1e-4, interval=20))
pruned = dict(ratio=0.5, importance='bn', scope='layer', multiple=8, fold=True, input_size=[256, 256])
fine_tuned = dict()
distilled = dict(methods=[dict(type='ChannelWise', student='neck', levels=[2.0, 1.0, 0.5], tau=1.0, weight=1.0)])
export = dict()
