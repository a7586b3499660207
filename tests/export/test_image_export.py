"""Single-stage image detectors as ONNX: the outputs of PyTorch, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from helpers.detectors import CLASSES, faster_rcnn, gfl, retinanet
from helpers.nets import whole_config
from helpers.yolov8 import small_model
from mmengine.config import Config

from pointkd.cli.main import main
from pointkd.core.errors import ConfigError, DataError, ExportError
from pointkd.core.files import sha256
from pointkd.export.detection import export_images, is_image_config
from pointkd.export.image_parity import ImageParity, head_outputs, made_up_images, measure_parity, read_images
from pointkd.io.build import build_model
from pointkd.io.checkpoints import save_checkpoint

SIZE = (64, 96)
NETS = {'retinanet': retinanet, 'gfl': gfl, 'yolov8': small_model}


def saved(folder: Path, model: dict[str, Any]) -> tuple[Config, Path]:
    """Return a config and weights whose batch norms have seen pictures."""
    config = whole_config(model, CLASSES, 'mmdet')
    torch.manual_seed(0)
    network = build_model(config).train()
    pictures = torch.randn(4, 3, *SIZE)
    with torch.no_grad():
        network.extract_feat(pictures)
    save_checkpoint(folder / 'net.pth', {'state_dict': network.state_dict()})
    return config, folder / 'net.pth'


@pytest.mark.parametrize('net', NETS)
def test_gives_the_outputs_of_pytorch(net: str, tmp_path: Path) -> None:
    config, weights = saved(tmp_path, NETS[net]())
    parity = export_images(config, weights, tmp_path / 'out', image_size=SIZE)
    assert parity.images == 5
    assert max(parity.outputs.values()) < 1e-3
    side_car = json.loads((tmp_path / 'out' / 'model.json').read_text())
    assert side_car['model']['sha256'] == sha256(tmp_path / 'out' / 'model.onnx')
    assert side_car['class_names'] == CLASSES
    assert side_car['input']['shape'] == [1, 3, *SIZE]
    model = build_model(config, weights)
    picture = made_up_images(*SIZE, count=1, seed=9)[0]
    session = onnxruntime.InferenceSession(str(tmp_path / 'out' / 'model.onnx'))
    found = session.run(None, {'images': picture.transpose(2, 0, 1)[None].astype(np.float32)})
    # The test's own way through the net: BGR to RGB, then mean and deviation.
    preprocessor = config.model.data_preprocessor
    image = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1).float()
    image = (image - torch.tensor(preprocessor.mean)[:, None, None]) / torch.tensor(preprocessor.std)[:, None, None]
    with torch.no_grad():
        wanted = head_outputs(model, image[None])
    assert [entry['name'] for entry in side_car['outputs']] == list(wanted)
    for entry, ours, reference in zip(side_car['outputs'], found, wanted.values(), strict=True):
        assert entry['shape'] == list(reference.shape)
        np.testing.assert_allclose(ours, reference.numpy(), rtol=1e-3, atol=1e-3)


def test_names_of_outputs() -> None:
    model = build_model(whole_config(retinanet(), CLASSES, 'mmdet'))
    with torch.no_grad():
        names = list(head_outputs(model, torch.zeros(1, 3, *SIZE)))
        yolo = head_outputs(build_model(whole_config(small_model(), CLASSES, 'mmdet')), torch.zeros(1, 3, *SIZE))
    assert names == [f'{part}_{level}' for part in ('scores', 'boxes') for level in range(4)]
    assert {name: tuple(value.shape) for name, value in yolo.items()} == {'boxes': (1, 126, 4), 'scores': (1, 126, 3)}


def test_the_command_and_its_folder_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, weights = saved(tmp_path, retinanet())
    config.dump(str(tmp_path / 'net.py'))
    cv2.imwrite(str(tmp_path / 'picture.png'), made_up_images(50, 70, count=1)[0])
    command = ['export', str(tmp_path / 'net.py'), str(weights), '--out', str(tmp_path / 'out')]
    assert main([*command, '--image-size', '60', '90', '--verify-data', str(tmp_path)]) == 0
    assert '1 images, outputs differ by up to' in capsys.readouterr().out
    side_car = json.loads((tmp_path / 'out' / 'model.json').read_text())
    assert side_car['input']['shape'] == [1, 3, 64, 96]  # rounded up to the padding
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['model.json', 'model.onnx', 'parity.json']
    assert main([*command, '--image-size', '60', '90', '--to', 'tensorrt']) != 0


def test_two_stages_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    config, weights = saved(tmp_path, faster_rcnn())
    with pytest.raises(ExportError, match='FasterRCNN can not be exported: only single-stage'):
        export_images(config, weights, tmp_path / 'out', image_size=SIZE)
    assert not (tmp_path / 'out').exists()


def test_the_gate_sees_another_net(tmp_path: Path) -> None:
    config, weights = saved(tmp_path, retinanet())
    export_images(config, weights, tmp_path / 'out', image_size=SIZE)
    other = build_model(config, weights)
    with torch.no_grad():
        other.bbox_head.retina_reg.bias += 0.1
    parity = measure_parity(other, tmp_path / 'out' / 'model.onnx', made_up_images(*SIZE, count=1))
    assert parity.outputs['scores_0'] < 1e-3
    with pytest.raises(ExportError, match='boxes_0 differs by'):
        parity.check()


def test_numbers_that_are_none_do_not_pass() -> None:
    parity = ImageParity(1)
    parity.add('boxes', np.array([np.nan]), np.array([1.0]))
    parity.add('boxes', np.array([1.0]), np.array([1.0]))
    with pytest.raises(ExportError, match='boxes'):
        parity.check()
    with pytest.raises(ExportError, match=r'gives \(2,\), PyTorch \(1,\)'):
        parity.add('boxes', np.zeros(2), np.zeros(1))


def test_bad_inputs(tmp_path: Path) -> None:
    config, weights = saved(tmp_path, retinanet())
    with pytest.raises(ConfigError, match='give the image size'):
        export_images(config, weights, tmp_path / 'out')
    with pytest.raises(ConfigError, match='no such folder'):
        read_images(tmp_path / 'none', *SIZE)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match='no image'):
        read_images(tmp_path / 'empty', *SIZE)
    (tmp_path / 'empty' / 'broken.png').write_text('no picture')
    with pytest.raises(DataError, match='can not be read'):
        read_images(tmp_path / 'empty', *SIZE)
    assert is_image_config(config)
