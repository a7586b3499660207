import copy

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.small_pillars import write_small_net

from pointkd.core.errors import ExportError
from pointkd.export.clouds import made_up_clouds
from pointkd.export.describe import describe_voxels
from pointkd.export.graph import PillarGraph, fold_batch_norms
from pointkd.export.onnx_file import check_onnx, sample_pillars, write_onnx
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.runtime.graph_io import OUTPUTS, feed

VARIANTS = {
    'stock': {},
    'not legacy': {'voxel_encoder__legacy': False},
    'with distance': {'voxel_encoder__with_distance': True},
    'no centres': {'voxel_encoder__with_cluster_center': False, 'voxel_encoder__with_voxel_center': False},
    'two layers': {'voxel_encoder__feat_channels': [8, 16]},
    'average': {'voxel_encoder__mode': 'avg'},
    'real points': {'voxel_encoder__type': 'RealPointsPillarFeatureNet'},
    'convolution in the neck': {'neck__use_conv_for_no_stride': True},
}


def built(folder, **changes):
    net = write_small_net(folder, **changes)
    return build_model(load_config(net.config), net.checkpoint)


def stock_maps(model, pillars):
    """Maps of the detector itself; the stock encoder writes into its input."""
    points, counts, coords = (torch.from_numpy(array.copy()) for array in pillars[:3])
    batched = torch.nn.functional.pad(coords, (1, 0))
    with torch.no_grad():
        features = model.voxel_encoder(points, counts, batched)
        return [
            level[0][0].numpy()
            for level in model.bbox_head(model.neck(model.backbone(model.middle_encoder(features, batched, 1))))
        ]


@pytest.mark.parametrize('variant', VARIANTS)
def test_graph_and_onnx_give_the_maps_of_the_detector(tmp_path, variant):
    model = built(tmp_path, **VARIANTS[variant])
    voxels = describe_voxels(model)
    pillars = voxels(made_up_clouds(voxels, 1)[0])
    wanted = stock_maps(model, pillars)
    graph = PillarGraph(model)
    with torch.no_grad():
        maps = [level[0].numpy() for level in graph(*(torch.from_numpy(array) for array in pillars[:3]))]
    path = tmp_path / 'model.onnx'
    assert write_onnx(graph, sample_pillars(voxels.columns, voxels.max_points, voxels.grid), path) == (16, 16)
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    exported = session.run(list(OUTPUTS), feed(pillars))
    for reference, traced, ran in zip(wanted, maps, exported, strict=True):
        np.testing.assert_allclose(traced, reference, atol=2e-5)
        np.testing.assert_allclose(ran[0], reference, atol=2e-5)


def test_the_detector_is_left_alone(tmp_path):
    model = built(tmp_path)
    before = copy.deepcopy(model.state_dict())
    kind = type(model.voxel_encoder)
    PillarGraph(model)
    assert type(model.voxel_encoder) is kind
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_file_holds_weights_and_no_empty_map(tmp_path):
    model = built(tmp_path)
    voxels = describe_voxels(model)
    write_onnx(PillarGraph(model), sample_pillars(4, voxels.max_points, voxels.grid), tmp_path / 'model.onnx')
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert (tmp_path / 'model.onnx').stat().st_size < weights + 60_000  # the empty map would be 65,536


def test_batch_norms_fold_into_convolutions():
    torch.manual_seed(0)
    sequence = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, bias=False),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(4, 6, 2, 2),
        torch.nn.BatchNorm2d(6),
        torch.nn.ConvTranspose2d(6, 6, 2, 2, groups=2),
        torch.nn.BatchNorm2d(6),  # stays: the weights of groups lie otherwise
    ).eval()
    with torch.no_grad():
        for module in sequence:
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                module.weight.normal_()
        images = torch.randn(2, 3, 9, 9)
        wanted = sequence(images)
        folded = fold_batch_norms(sequence)
        torch.testing.assert_close(folded(images), wanted, atol=1e-5, rtol=1e-5)
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in folded) == 1


def test_operators_outside_the_standard_are_refused(tmp_path):
    import onnx

    node = onnx.helper.make_node('NMSRotated', ['x'], ['y'], domain='mmdeploy')
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ('x', 'y')]
    graph = onnx.helper.make_graph([node], 'graph', values[:1], values[1:])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / 'model.onnx'))
    with pytest.raises(ExportError, match='NMSRotated'):
        check_onnx(tmp_path / 'model.onnx')
