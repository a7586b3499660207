import numpy as np
import pytest
from helpers.yolov8 import flat_boxes

from pointkd.core.errors import ConfigError
from pointkd.datasets.yolov8 import MosaicCanvas, MosaicMixUp
from pointkd.datasets.yolov8.affine import CANVAS

STEPS = [dict(type='MosaicCanvas', img_scale=(32, 32)), dict(type='CentredAffine', size=(32, 32))]


def sample(value, label):
    return {
        'img': np.full((32, 32, 3), value, dtype=np.uint8),
        'gt_bboxes': flat_boxes([[4, 4, 28, 28]]),
        'gt_bboxes_labels': np.array([label]),
        'gt_ignore_flags': np.array([False]),
    }


def test_a_mosaic_says_that_it_is_one():
    four = {**sample(1, 0), 'mix_results': [sample(value, value) for value in (2, 3, 4)]}
    found = MosaicCanvas(img_scale=(32, 32))(four)
    assert found['img'].shape == (64, 64, 3)
    assert found[CANVAS]
    assert set(np.unique(found['img'])) <= {1, 2, 3, 4, 114}
    assert set(found['gt_bboxes_labels'].tolist()) <= {0, 2, 3, 4}
    never = MosaicCanvas(img_scale=(32, 32), prob=0.0)({**sample(1, 0), 'mix_results': []})
    assert CANVAS not in never
    assert never['img'].shape == (32, 32, 3)


def test_images_are_drawn_as_often_as_asked():
    np.random.seed(0)
    drawn = [MosaicMixUp(STEPS, prob=0.25).get_indexes(range(7)) for _ in range(400)]
    assert {len(entry) for entry in drawn} == {0, 4}
    assert 70 < sum(map(bool, drawn)) < 130
    assert {index for entry in drawn for index in entry} == set(range(7))
    assert not any(MosaicMixUp(STEPS, prob=0).get_indexes(range(7)) for _ in range(50))


def test_a_blend_keeps_the_objects_of_both():
    np.random.seed(1)
    others = [sample(200, label) for label in (5, 6, 7, 8)]
    found = MosaicMixUp(STEPS, prob=1)({**sample(100, 0), 'mix_results': others})
    assert found['img'].dtype == np.uint8
    assert found['img'].shape == (32, 32, 3)
    assert 100 < found['img'].max() < 200
    assert found['gt_bboxes_labels'][0] == 0
    assert len(found['gt_bboxes']) == len(found['gt_bboxes_labels']) == len(found['gt_ignore_flags']) > 1
    assert found['gt_bboxes'].tensor[0].tolist() == [4, 4, 28, 28]


def test_without_drawn_images_nothing_happens():
    before = sample(9, 1)
    found = MosaicMixUp(STEPS, prob=0.5)({**before, 'mix_results': []})
    assert (found['img'] == before['img']).all()
    with pytest.raises(ConfigError, match='between 0 and 1'):
        MosaicMixUp(STEPS, prob=1.5)
