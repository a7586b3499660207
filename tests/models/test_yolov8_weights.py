import pytest
import torch
from helpers.public_yolov8 import public_names
from helpers.yolov8 import small_model

import pointkd.models.yolov8  # noqa: F401 - registers the nets
from pointkd.core.errors import CheckpointError
from pointkd.io.build import build_module
from pointkd.models.yolov8.scale import SCALES
from pointkd.models.yolov8.weights import convert, describe, our_name


def test_names_of_every_part():
    pairs = {
        'model.0.conv.weight': 'backbone.stem.conv.weight',
        'model.2.cv1.bn.running_mean': 'backbone.stage1.1.cv1.bn.running_mean',
        'model.4.m.1.cv2.conv.weight': 'backbone.stage2.1.blocks.1.cv2.conv.weight',
        'model.9.cv2.conv.weight': 'backbone.stage4.2.cv2.conv.weight',
        'model.15.m.0.cv1.conv.weight': 'neck.top_down.1.blocks.0.cv1.conv.weight',
        'model.19.conv.weight': 'neck.downsample.1.conv.weight',
        'model.22.cv2.2.0.conv.weight': 'bbox_head.box_branches.2.0.conv.weight',
        'model.22.cv3.0.2.bias': 'bbox_head.class_branches.0.2.bias',
        'model.22.dfl.conv.weight': 'bbox_head.bins',
        'model.model.22.dfl.conv.weight': 'bbox_head.bins',
    }
    assert {name: our_name(name) for name in pairs} == pairs


@pytest.mark.parametrize(
    'name', ['model.10.conv.weight', 'backbone.stem.conv.weight', 'model.23.x', 'model.22.cv4.0.0']
)
def test_names_of_other_nets_are_refused(name):
    with pytest.raises(CheckpointError, match='is no weight of'):
        our_name(name)


@pytest.mark.parametrize('scale', SCALES)
def test_the_weights_tell_their_net_and_come_back(scale):
    with torch.device('meta'):
        model = build_module(small_model(7) | {'scale': scale}, 'mmdet')
    weights = {name: tensor for name, tensor in model.state_dict().items() if name != 'bbox_head.bins'}
    found = convert(public_names(weights))
    assert found.keys() == model.state_dict().keys()
    assert all(found[name].shape == tensor.shape for name, tensor in model.state_dict().items())
    assert describe(found) == (scale, 7)


def test_other_widths_and_bins_are_refused():
    weights = build_module(small_model(), 'mmdet').state_dict()
    with pytest.raises(CheckpointError, match='8 channels, a last stage of 32 and 1 blocks'):
        describe(weights)
    with pytest.raises(CheckpointError, match='no YOLOv8 detector'):
        describe({})
    with pytest.raises(CheckpointError, match='expected 0 to 15'):
        convert({'model.22.dfl.conv.weight': torch.zeros(1, 16, 1, 1)})
