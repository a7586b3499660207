"""The detector in an environment with mmengine, mmcv-lite and mmdet, and nothing else of the stack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
for name in ('mmdet3d', 'mmseg', 'spconv', 'cumm', 'open3d', 'numba', 'torchvision', 'onnx', 'onnxruntime'):
    sys.modules[name] = None  # an import of it fails
import torch
import pointkd.models.yolov8
from helpers.yolov8 import small_model
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
with DefaultScope.overwrite_default_scope('mmdet'):
    model = MODELS.build(small_model())
sample = DetDataSample(metainfo=dict(scale_factor=(1, 1), ori_shape=(64, 64)))
sample.gt_instances = InstanceData(bboxes=torch.tensor([[8.0, 8, 40, 40]]), labels=torch.tensor([1]))
images = torch.rand(1, 3, 64, 64)
sum(model(images, [sample], mode='loss').values()).backward()
model.bbox_head.test_cfg.score_thr = 0.0
with torch.no_grad():
    found = model(images, [sample], mode='predict')[0].pred_instances  # non-maximum suppression without numba
assert 0 < len(found) <= 300
from pointkd.core.errors import StackError
from pointkd.ops.jit import jit
try:
    jit(len)([])
except StackError as error:
    print(error)
"""


@pytest.mark.long
def test_trains_and_predicts_without_the_rest_of_the_stack() -> None:
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tests.parent), str(tests)])}
    done = subprocess.run([sys.executable, '-c', CODE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith('needs numba for len: `pip install numba`')
