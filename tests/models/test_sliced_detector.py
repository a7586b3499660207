"""Sliced prediction: boxes in pixels of the whole image, each object once, whatever the tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pointkd.engine  # noqa: F401  registers
from pointkd.core.errors import ConfigError
from pointkd.models.sliced_detector import SlicedDetector

from mmdet.models.data_preprocessors import DetDataPreprocessor  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip
from mmengine.model import BaseModel  # isort: skip
from mmengine.structures import InstanceData  # isort: skip

HEIGHT, WIDTH = 150, 230


class Blobs(BaseModel):
    """Finds each grey value above 0 in an image: the value is the object, its last digit the class.

    Args:
        longest: objects that show longer than this are not seen.
    """

    def __init__(self, longest: int = 1000, divisor: int = 1) -> None:
        super().__init__(data_preprocessor=DetDataPreprocessor(pad_size_divisor=divisor))
        self.weight = nn.Parameter(torch.ones(1))
        self.longest = longest
        self.seen: list[tuple[int, ...]] = []

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        return self.predict(inputs, data_samples) if mode == 'predict' else {'mode': mode}

    def predict(self, inputs: Tensor, samples: list[DetDataSample], rescale: bool = True) -> list[DetDataSample]:
        self.seen.append(tuple(inputs.shape))
        for image, sample in zip(inputs, samples, strict=True):
            assert sample.batch_input_shape == tuple(image.shape[1:])
            values = [value for value in image.unique().tolist() if value > 0 and value == int(value)]
            boxes = torch.tensor([self._box(image[0] == value) for value in values]).reshape(-1, 4)
            seen = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1) <= self.longest if len(boxes) else torch.zeros(0).bool()
            boxes = boxes / boxes.new_tensor(sample.scale_factor).repeat(2) if rescale else boxes
            values = torch.tensor(values).reshape(-1)
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            sample.pred_instances = InstanceData(
                bboxes=boxes[seen], scores=(1 / (1 + area))[seen], labels=(values % 10).long()[seen]
            )
        return samples

    @staticmethod
    def _box(mask: Tensor) -> list[float]:
        y, x = mask.nonzero(as_tuple=True)
        return [float(x.min()), float(y.min()), float(x.max()) + 1, float(y.max()) + 1]


def picture(objects: dict[int, tuple[int, int, int, int]], height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """An image with rectangles of grey values: (3, H, W) uint8."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    for value, (x1, y1, x2, y2) in objects.items():
        image[:, y1:y2, x1:x2] = value
    return image


def predict(model: BaseModel, *images: Tensor, **meta: Any) -> list[dict[int, list[list[float]]]]:
    """Boxes by class of each image, through the whole test step; small objects first, as scores say."""
    samples = [DetDataSample(metainfo={'img_shape': tuple(image.shape[1:]), **meta}) for image in images]
    with torch.no_grad():
        done = model.test_step({'inputs': list(images), 'data_samples': samples})
    found = []
    for sample in done:
        boxes = sample.pred_instances
        assert (boxes.scores.diff() <= 0).all()
        found.append({label: boxes.bboxes[boxes.labels == label].tolist() for label in boxes.labels.tolist()})
    return found


OBJECTS = {
    11: (3, 4, 13, 10),
    22: (60, 60, 75, 72),
    33: (215, 130, 230, 150),
    44: (100, 20, 118, 30),
    52: (20, 120, 30, 128),
}


@pytest.mark.parametrize('tile', [40, 64, 100, 150, 500])
@pytest.mark.parametrize('batch', [1, 4])
@pytest.mark.parametrize('divisor', [1, 32])
def test_every_object_once_at_its_place(tile: int, batch: int, divisor: int) -> None:
    """Tiles overlap by more than an object, so that each is whole in one; its parts in others are merged with it."""
    model = SlicedDetector(Blobs(divisor=divisor), tile=tile, overlap=0.5, batch=batch)
    found = predict(model, picture(OBJECTS))[0]
    assert found == {1: [[3, 4, 13, 10]], 2: [[20, 120, 30, 128], [60, 60, 75, 72]], 3: [[215, 130, 230, 150]], 4: [[100, 20, 118, 30]]}  # fmt: skip  # noqa: E501


def test_the_detector_sees_tiles_only() -> None:
    """With objects up to 20 pixels seen: the long one shows too long in every tile, and whole it is never shown."""
    model = SlicedDetector(Blobs(longest=20), tile=64, overlap=0.4, batch=3)
    found = predict(model, picture({**OBJECTS, 66: (130, 100, 200, 110)}))[0]
    assert found[1] == [[3, 4, 13, 10]]
    assert 6 not in found
    assert {shape[2:] for shape in model.detector.seen} == {(64, 64)}
    assert max(shape[0] for shape in model.detector.seen) == 3


def test_parts_with_the_higher_score_grow_to_the_whole() -> None:
    """Blobs' score falls with the area, so every part beats the whole."""
    image = picture({17: (50, 10, 90, 30)})
    settings = dict(tile=64, overlap=0.7)
    assert predict(SlicedDetector(Blobs(), **settings), image)[0] == {7: [[50, 10, 90, 30]]}
    assert predict(SlicedDetector(Blobs(), mode='nms', **settings), image)[0] != {7: [[50, 10, 90, 30]]}


def test_the_whole_image_too() -> None:
    """An object larger than a tile shows whole in the shrunk image only."""
    image = picture({18: (20, 20, 220, 140)})
    without = predict(SlicedDetector(Blobs(longest=60), tile=64), image)[0]
    assert [20, 20, 220, 140] not in without.get(8, [])
    model = SlicedDetector(Blobs(longest=60), tile=64, whole=WIDTH // 4)
    found = predict(model, image)[0][8]
    assert len(found) == 1
    np.testing.assert_allclose(found[0], [20, 20, 220, 140], atol=8)  # a pixel of the shrunk image is four


def test_tiles_are_magnified() -> None:
    model = SlicedDetector(Blobs(), tile=64, overlap=0.4, scale=2.0)
    image = torch.zeros(3, 100, 100, dtype=torch.uint8)
    image[:, 20:40, 30:50] = 15
    found = predict(model, image)[0]
    assert {shape[2:] for shape in model.detector.seen} == {(128, 128)}
    np.testing.assert_allclose(found[5][0], [30, 20, 50, 40], atol=1)


def test_images_of_two_sizes_in_one_batch_and_original_pixels() -> None:
    """The padding of the smaller image is not looked at; boxes come in pixels of the image before it was resized."""
    small = picture({12: (80, 90, 90, 100)}, 100, 90)
    model = SlicedDetector(Blobs(), tile=64, overlap=0.3)
    first, second = predict(model, picture(OBJECTS), small, scale_factor=(0.5, 0.25))
    assert first[4] == [[200, 80, 236, 120]]
    assert second == {2: [[160, 360, 180, 400]]}


def test_nothing_found_and_an_image_smaller_than_a_tile() -> None:
    model = SlicedDetector(Blobs(), tile=640)
    assert predict(model, picture({})) == [{}]
    assert predict(model, picture({14: (1, 1, 5, 5)}, 20, 30)) == [{4: [[1, 1, 5, 5]]}]


def test_no_more_boxes_than_asked_for() -> None:
    model = SlicedDetector(Blobs(), tile=64, max_per_image=2)
    found = predict(model, picture(OBJECTS))[0]
    assert sum(map(len, found.values())) == 2


def test_it_is_the_detector() -> None:
    detector = Blobs()
    model = SlicedDetector(detector, tile=64)
    assert list(model.state_dict()) == list(detector.state_dict())
    assert [name for name, _ in model.named_parameters()] == ['weight']
    model.load_state_dict({key: value + 1 for key, value in detector.state_dict().items()})
    assert detector.weight.item() == 2
    model.eval()
    assert not detector.training
    assert model.train().detector.training
    assert model(torch.zeros(1, 3, 8, 8), mode='loss') == {'mode': 'loss'}
    assert model.longest == 1000
    with pytest.raises(AttributeError):
        model.no_such_thing  # noqa: B018


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'tile': 0}, 'side of a tile'),
        ({'overlap': 1.0}, 'overlap of tiles'),
        ({'batch': 0}, 'batch must be 1 or more'),
        ({'scale': 0.0}, 'scale must be above 0'),
        ({'whole': -1}, 'whole must be 0 or more'),
        ({'max_per_image': 0}, 'max_per_image must be 1'),
        ({'mode': 'nmn'}, "mode of merging: no 'nmn'"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SlicedDetector(Blobs(), **settings)


@pytest.mark.long
def test_a_stock_detector(tmp_path: Path) -> None:
    """An image of one tile: what the plain detector predicts, through a checkpoint of it."""
    from pointkd.io.build import build_model
    from pointkd.io.config import load_config

    path = tmp_path / 'net.py'
    path.write_text(
        "_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'\nmodel = dict(backbone=dict(init_cfg=None))\n"
    )
    config = load_config(path)
    config.model.test_cfg.score_thr = 0.0
    plain = build_model(config)
    plain.init_weights()
    torch.save({'state_dict': plain.state_dict()}, tmp_path / 'net.pth')
    model = dict(type='SlicedDetector', detector=config.model, tile=96)
    sliced = build_model(dict(model=model, default_scope='mmdet'), tmp_path / 'net.pth')
    image = torch.randint(0, 255, (3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    meta = {'img_shape': (96, 96), 'ori_shape': (96, 96), 'scale_factor': (1.0, 1.0)}
    results = []
    for net in (plain, sliced):
        batch = {'inputs': [image.clone()], 'data_samples': [DetDataSample(metainfo=meta)]}
        with torch.no_grad():
            results.append(net.test_step(batch)[0].pred_instances)
    assert len(results[0]) > 0
    torch.testing.assert_close(results[1].scores, results[0].scores.sort(descending=True).values)
    assert sorted(results[1].bboxes.tolist()) == sorted(results[0].bboxes.tolist())
