"""The mmengine side: runner, loops, hooks, metrics, complexity. Importing it makes the installed packages ready."""

import importlib
import importlib.util

from pointkd.io.build import prepare

prepare()

# What registers itself: data wrappers, loops, hooks, optimiser wrappers, metrics, the Distiller.
for _module in (
    'pointkd.compress.sparsity_hook',
    'pointkd.datasets.camvid',
    'pointkd.datasets.kitti_layout',
    'pointkd.datasets.robust',
    'pointkd.datasets.seeded',
    'pointkd.datasets.visdrone.dataset',
    'pointkd.distill.distiller',
    'pointkd.models.sliced_detector',
    'pointkd.engine.bad_frames',
    'pointkd.engine.boundary_metric',
    'pointkd.engine.cityscapes_metric',
    'pointkd.engine.finite',
    'pointkd.engine.kitti_metric',
    'pointkd.engine.last_checkpoint',
    'pointkd.engine.loops',
    'pointkd.engine.precision',
    'pointkd.engine.runner',
    'pointkd.engine.teacher_check',
    'pointkd.engine.visdrone_metric',
    'pointkd.engine.yolo_recipe',
):
    if importlib.util.find_spec(_module):
        importlib.import_module(_module)
