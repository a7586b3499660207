"""Side-car, image rules and windows of segmentation exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointkd.core.errors import ExportError, ShapeError
from pointkd.core.files import sha256
from pointkd.runtime.segmentation import (
    FORMAT,
    ImageRule,
    SegmentationSideCar,
    SizeProfile,
    Windows,
    is_segmentation,
    read_segmentation,
)
from pointkd.runtime.segmenter import Mask, prepare
from pointkd.runtime.sidecar import FileReference

RULE = ImageRule((10.0, 20.0, 30.0), (2.0, 4.0, 5.0), 'rgb', None, False, 1, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export with a file that is no network."""
    (tmp_path / 'model.onnx').write_bytes(b'no network')
    side_car = SegmentationSideCar(
        model=FileReference('model.onnx', sha256(tmp_path / 'model.onnx')),
        checkpoint=FileReference('net.pth', '0' * 64),
        config='',
        versions={},
        opset=17,
        parameters=1,
        class_names=('road', 'car'),
        palette=((0, 0, 0), (255, 0, 0)),
        image=RULE,
        windows=Windows((64, 64), (48, 48)),
        threshold=None,
        align_corners=False,
        profile=SizeProfile((1, 64, 64), (1, 64, 64), (1, 64, 64)),
    )
    (tmp_path / 'model.json').write_text(json.dumps(side_car.to_json()))
    return tmp_path


def test_side_car_round_trip(folder: Path) -> None:
    side_car = read_segmentation(folder)
    assert is_segmentation(folder)
    assert side_car.image == RULE
    assert side_car.windows == Windows((64, 64), (48, 48))
    assert side_car.format == FORMAT


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'format': 'pointkd-pillars'}, "'format' must be 'pointkd-segmentation'"),
        ({'version': 2}, 'this pointkd reads version 1'),
        ({'palette': [[0, 0, 0]]}, '2 class names, but 1 colours'),
        ({'threshold': 1.5}, 'threshold must lie between 0 and 1'),
        ({'windows': {'crop': [64, 64]}}, r'windows\.stride: missing'),
        ({'colours': []}, "colours: unknown field: did you mean 'palette'|colours: unknown field"),
        ({'image': {**RULE.__dict__, 'channels': 'grey'}}, "channels must be 'rgb' or 'bgr'"),
        ({'image': {**RULE.__dict__, 'std': [0, 1, 1]}}, 'std above 0'),
    ],
)
def test_a_damaged_side_car_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    content = json.loads((folder / 'model.json').read_text())
    (folder / 'model.json').write_text(json.dumps({**content, **change}))
    with pytest.raises(ExportError, match=message):
        read_segmentation(folder)


def test_another_network_is_refused(folder: Path) -> None:
    (folder / 'model.onnx').write_bytes(b'another')
    with pytest.raises(ExportError, match='SHA-256 differs'):
        read_segmentation(folder)


def test_an_image_is_normalised_and_padded() -> None:
    image = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    rule = ImageRule(RULE.mean, RULE.std, 'bgr', None, False, 4, -7.0)
    prepared = prepare(image, rule)
    assert prepared.values.shape == (1, 3, 4, 8)
    assert prepared.values.dtype == np.float32
    assert (prepared.size, prepared.own_size) == ((3, 5), (3, 5))
    np.testing.assert_allclose(prepared.values[0, 0, :3, :5], (image[..., 2].astype(float) - 10) / 2)
    assert (prepared.values[0, :, 3] == -7).all()
    assert (prepared.values[0, :, :, 5:] == -7).all()
    with pytest.raises(ShapeError, match='image'):
        prepare(image[..., 0], rule)


@pytest.mark.parametrize(
    ('resize', 'keep', 'size', 'expected'),
    [
        (None, False, (50, 70), (50, 70)),
        ((96, 64), False, (50, 70), (64, 96)),
        ((96, 64), True, (64, 96), (64, 96)),
        ((96, 64), True, (50, 100), (48, 96)),
        ((96, 64), True, (100, 50), (96, 48)),
        ((2048, 1024), True, (375, 1242), (618, 2048)),
    ],
)
def test_size_rules(resize: Any, keep: bool, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert ImageRule(RULE.mean, RULE.std, 'rgb', resize, keep, 1, 0.0).resized(*size) == expected


@pytest.mark.parametrize('size', [(64, 64), (40, 50), (65, 160), (200, 64), (112, 113)])
def test_windows_cover_every_pixel_and_stay_inside(size: tuple[int, int]) -> None:
    count = np.zeros(size, dtype=int)
    for rows, columns in Windows((64, 64), (48, 48)).places(*size):
        assert rows.stop - rows.start == min(64, size[0])
        assert columns.stop - columns.start == min(64, size[1])
        count[rows, columns] += 1
    assert count.min() >= 1


def test_shares_of_a_mask() -> None:
    mask = Mask(np.array([[1, 1], [1, 0]], dtype=np.uint8), ('road', 'car', 'sky'), ((0, 0, 0),) * 3)
    assert mask.shares() == {'car': 0.75, 'road': 0.25}
