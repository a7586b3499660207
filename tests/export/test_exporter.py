import dataclasses
import json
import zlib

import numpy as np
import pytest
import torch
from helpers.small_pillars import write_small_net

from pointkd.core.errors import CheckpointError, ConfigError, ExportError
from pointkd.core.files import sha256
from pointkd.core.kitti import write_points
from pointkd.export import exporter
from pointkd.export.clouds import made_up_clouds
from pointkd.export.describe import describe_voxels
from pointkd.export.exporter import export
from pointkd.export.parity import compare
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.runtime.detections import Detections
from pointkd.runtime.detector import Detector
from pointkd.runtime.sidecar import read_side_car

FILES = {'model.onnx', 'model.json', 'parity.json', 'build_engine.sh'}


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_an_export_is_complete(small_export):
    assert names(small_export) == FILES
    side_car = read_side_car(small_export)
    checkpoint = small_export.parent / 'small.pth'
    assert side_car.checkpoint.sha256 == sha256(checkpoint)
    assert side_car.class_names == ('Pedestrian', 'Car')
    assert side_car.parameters == 22636
    assert side_car.opset == 17
    assert "type='VoxelNet'" in side_car.config
    parity = json.loads((small_export / 'parity.json').read_text())
    assert parity['clouds'] == 20
    assert parity['boxes'] > 20
    assert max(parity['max_box_m'], parity['max_score']) <= 1e-3
    assert parity['unmatched'] == 0


def test_boxes_are_compared_on_given_clouds(small_net, tmp_path):
    clouds = made_up_clouds(describe_voxels(build_model(load_config(small_net.config))), 3)
    for number, cloud in enumerate(clouds):
        write_points(tmp_path / 'velodyne' / f'{number:06d}.bin', cloud)
    parity = export(small_net.config, small_net.checkpoint, tmp_path / 'out', verify_data=tmp_path / 'velodyne')
    assert parity.clouds == 3


def test_a_failed_gate_leaves_the_old_export(small_net, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'model.json').write_text('old')
    right = exporter.describe_decoding
    monkeypatch.setattr(
        exporter, 'describe_decoding', lambda head: dataclasses.replace(right(head), direction_offset=1.0)
    )
    with pytest.raises(ExportError, match='stage: decode'):
        export(small_net.config, small_net.checkpoint, out)
    assert names(out) == {'model.json'}
    assert (out / 'model.json').read_text() == 'old'


def test_wrong_inputs_are_refused(small_net, tmp_path):
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        export(small_net.config, tmp_path / 'none.pth', tmp_path / 'out')
    text = small_net.config.read_text().replace("['Pedestrian', 'Car']", "['Pedestrian', 'Cyclist', 'Car']")
    (tmp_path / 'three.py').write_text(text)
    with pytest.raises(ConfigError, match=r'names 3 classes .* the head has 2'):
        export(tmp_path / 'three.py', small_net.checkpoint, tmp_path / 'out')
    assert names(tmp_path / 'out') == set()


def test_a_net_that_finds_nothing_is_exported_with_a_warning(tmp_path, caplog):
    net = write_small_net(tmp_path, test_cfg__score_thr=0.9999)
    parity = export(net.config, net.checkpoint, tmp_path / 'out')
    assert parity.result.boxes == 0
    assert 'only pillars and maps were compared' in caplog.text


@pytest.mark.long
def test_the_stock_config_gives_the_reference_boxes(golden, tmp_path, monkeypatch):
    """PointPillars of KITTI with weights by rule: boxes of the compiled stack, through ONNX Runtime."""
    config = load_config('mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py', pretrained=False)
    model = build_model(config)
    torch.save({name: by_rule(name, tensor) for name, tensor in model.state_dict().items()}, tmp_path / 'rule.pth')
    points = np.load(golden / 'models' / 'cloud.npz')['points']
    write_points(tmp_path / 'clouds' / '0.bin', points)
    export(config, tmp_path / 'rule.pth', tmp_path / 'out', verify_data=tmp_path / 'clouds')

    stored = np.load(golden / 'models' / 'pointpillars.npz')
    detector = Detector(tmp_path / 'out')
    pillars = detector.voxelize(points)
    np.testing.assert_array_equal(pillars.coords, stored['voxels.coors'][:, 1:])
    maps = detector.network(pillars)
    for name, values in zip(('head_cls', 'head_bbox', 'head_dir'), maps, strict=True):
        np.testing.assert_allclose(values[:, ::4, ::4], stored[name], atol=1e-5)
    reference = Detections(stored['boxes'], stored['scores'], stored['labels'], detector.side_car.class_names)
    difference = compare(reference, detector.predict(points), detector.side_car.decode)
    assert difference.boxes == 50
    assert difference.max_box_m < 1e-4
    assert difference.max_score < 1e-5


def by_rule(name, like):
    """Weights of the reference values (tests/golden/models/README.md)."""
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(like.numel()).reshape(tuple(like.shape))
    if name.endswith('num_batches_tracked'):
        return like
    if name.endswith('running_var'):
        noise = np.exp(0.3 * noise)
    elif name.endswith(('running_mean', 'bias')):
        noise = 0.1 * noise
    elif like.ndim == 1:
        noise = 1 + 0.1 * noise
    else:
        noise = noise * np.sqrt(2 * like.shape[0] / like.numel())
    return torch.from_numpy(noise).to(like.dtype)
