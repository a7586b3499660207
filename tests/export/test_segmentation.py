"""Segmentation nets as ONNX with free batch and size, equal to PyTorch's from the image to the mask."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from helpers.segmentors import PAIRS, write_small_segmentor
from mmengine.registry import DefaultScope

from pointkd.core.errors import ConfigError, DataError, ExportError
from pointkd.export import segmentation, segmentation_parity
from pointkd.export.exporter import export
from pointkd.export.images import crops_of, made_up_images
from pointkd.export.segmentation_describe import describe_image, made_up_palette
from pointkd.export.segmentation_eager import EagerSegmenter
from pointkd.export.segmentation_graph import check_segmentor
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.runtime.segmentation import read_segmentation
from pointkd.runtime.segmenter import Segmenter

SMALL = ((1, 64, 96), (2, 48, 80), (1, 57, 101))


@pytest.fixture(autouse=True)
def small_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare on small images: these nets are small."""
    monkeypatch.setattr(segmentation_parity, 'SHAPES', SMALL)
    monkeypatch.setattr(segmentation, 'MADE_UP', (1, (70, 110)))


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the export of a narrow PSPNet; config and weights lie beside it."""
    folder = tmp_path_factory.mktemp('segmentor')
    config, weights = write_small_segmentor(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation_parity, 'SHAPES', SMALL)
        patch.setattr(segmentation, 'MADE_UP', (1, (70, 110)))
        export(config, weights, folder / 'export')
    return folder / 'export'


@pytest.mark.parametrize('net', PAIRS)
def test_each_net_gives_the_same_labels(net: str, tmp_path: Path) -> None:
    config, weights = write_small_segmentor(tmp_path, net)
    parity = export(config, weights, tmp_path / 'export')
    assert parity.pixels == sum(batch * height * width for batch, height, width in SMALL)
    assert parity.agreement >= 0.9999
    assert parity.max_logit <= 1e-3
    assert parity.end_to_end >= 0.999
    graph = onnx.load(str(tmp_path / 'export' / 'model.onnx')).graph
    (image,) = graph.input
    assert [axis.dim_param for axis in image.type.tensor_type.shape.dim] == ['batch', '', 'height', 'width']
    assert (read_segmentation(tmp_path / 'export').windows is not None) == (net == 'segformer-b0')


def test_an_export_is_complete(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {'model.onnx', 'model.json', 'parity.json', 'build_engine.sh'}
    side_car = read_segmentation(exported)
    assert side_car.class_names[:2] == ('road', 'sidewalk')
    assert side_car.palette[0] == (128, 64, 128)
    assert side_car.image.resize == (96, 64)
    assert side_car.image.channels == 'rgb'
    auxiliary = build_model(load_config(exported.parent / 'pspnet-r18.py')).auxiliary_head
    whole = build_model(load_config(exported.parent / 'pspnet-r18.py'))
    numbers = [sum(p.numel() for p in module.parameters()) for module in (whole, auxiliary)]
    assert side_car.parameters == numbers[0] - numbers[1]
    script = (exported / 'build_engine.sh').read_text()
    assert '--optShapes=image:1x3x64x96' in script
    parity = json.loads((exported / 'parity.json').read_text())
    assert parity['agreement'] >= parity['tolerance']['agreement']


@pytest.mark.parametrize('size', [(64, 96), (70, 110), (31, 45), (200, 120)])
def test_masks_are_mmsegs_own(exported: Path, size: tuple[int, int], tmp_path: Path) -> None:
    """From the file on, through mmseg's whole test pipeline and `test_step`."""
    config = load_config(exported.parent / 'pspnet-r18.py')
    model = build_model(config, exported.parent / 'pspnet-r18.pth')
    (image,) = made_up_images(1, size, seed=3)
    from mmseg.apis import inference_model

    model.cfg = config
    config.test_pipeline = config.test_dataloader.dataset.pipeline
    cv2.imwrite(str(tmp_path / 'image.png'), image[..., ::-1])
    with DefaultScope.overwrite_default_scope('mmseg'):
        reference = inference_model(model, str(tmp_path / 'image.png')).pred_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(EagerSegmenter(model, config).predict(image).labels, reference)
    ours = Segmenter(exported).predict(image).labels
    assert ours.shape == size
    assert ours.dtype == np.uint8
    assert (ours == reference).mean() > 0.999


def test_padding_to_a_multiple_is_cut_off(tmp_path: Path) -> None:
    config, weights = write_small_segmentor(
        tmp_path, 'pspnet-r18', '+model.data_preprocessor.test_cfg={"size_divisor": 32}'
    )
    export(config, weights, tmp_path / 'export')
    segmenter = Segmenter(tmp_path / 'export')
    (image,) = made_up_images(1, (50, 90))
    prepared = segmenter.prepare(image)
    assert prepared.values.shape[2:] == (64, 96)
    assert segmenter.predict(image).labels.shape == (50, 90)


def test_two_classes_in_one_channel(tmp_path: Path) -> None:
    head = ['num_classes=2', 'loss_decode.use_sigmoid=True']
    options = [f'model.decode_head.{setting}' for setting in head] + ['model.auxiliary_head.num_classes=2']
    options += ['+model.decode_head.out_channels=1', '+model.decode_head.threshold=0.4']
    options += ["+test_dataloader.dataset.metainfo.classes=['road','car']"]
    options += ["+train_dataloader.dataset.metainfo.classes=['road','car']"]
    config, weights = write_small_segmentor(tmp_path, 'pspnet-r18', *options)
    parity = export(config, weights, tmp_path / 'export')
    assert parity.agreement >= 0.9999
    side_car = read_segmentation(tmp_path / 'export')
    assert side_car.threshold == 0.4
    assert len(set(side_car.palette)) == 2
    (image,) = made_up_images(1, (70, 110))
    assert set(np.unique(Segmenter(tmp_path / 'export').predict(image).labels)) <= {0, 1}


def test_a_failed_gate_leaves_the_old_export(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    logits = Segmenter.logits
    monkeypatch.setattr(Segmenter, 'logits', lambda self, values: logits(self, values) + 0.1)
    with pytest.raises(ExportError, match='does not give the labels of PyTorch'):
        export(exported.parent / 'pspnet-r18.py', exported.parent / 'pspnet-r18.pth', exported)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_a_wrong_normalisation_is_found(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = segmentation.describe_image

    def wrong(*arguments: object) -> object:
        return dataclasses.replace(rule(*arguments), mean=(120.0, 116.28, 103.53))

    monkeypatch.setattr(segmentation, 'describe_image', wrong)
    with pytest.raises(ExportError, match='prepared images differ by'):
        export(exported.parent / 'pspnet-r18.py', exported.parent / 'pspnet-r18.pth', exported.parent / 'other')
    assert not (exported.parent / 'other' / 'model.onnx').exists()


def test_what_can_not_be_exported_is_named(exported: Path) -> None:
    config = load_config(exported.parent / 'pspnet-r18.py')
    model = build_model(config)
    config.test_dataloader.dataset.pipeline.insert(1, dict(type='CenterCrop'))
    with pytest.raises(ExportError, match='steps that the runtime does not know: CenterCrop'):
        describe_image(model, config)
    model.data_preprocessor.test_cfg = dict(size=(64, 64))
    with pytest.raises(ExportError, match='use size_divisor'):
        describe_image(model, load_config(exported.parent / 'pspnet-r18.py'))
    with pytest.raises(ExportError, match='Linear can not be exported: of mmseg only EncoderDecoder'):
        check_segmentor(torch.nn.Linear(1, 1))
    config.train_dataloader.dataset.metainfo = dict(classes=['road', 'car'])
    with pytest.raises(ConfigError, match='the config names 2 classes, the head has 19'):
        EagerSegmenter(model, config)
    with pytest.raises(DataError, match='no image'):
        export(
            exported.parent / 'pspnet-r18.py', exported.parent / 'pspnet-r18.pth', exported, verify_data=exported.parent
        )


def test_crops_come_from_the_images_and_colours_differ() -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    small, large = crops_of([image], [(1, 2, 3), (2, 9, 11)])
    assert small.shape == (1, 2, 3, 3)
    assert large.shape == (2, 9, 11, 3)
    assert set(np.unique(large)) <= set(np.unique(image))
    assert len(set(made_up_palette(150))) == 150
