import numpy as np
import pytest
from helpers.yolov8 import flat_boxes
from hypothesis import given
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError
from pointkd.datasets.yolov8 import Letterbox


def letterbox(image, scale, boxes=()):
    sample = {'img': image, 'gt_bboxes': flat_boxes(boxes)}
    return Letterbox(scale=scale)(sample)


def test_a_wide_image_by_hand():
    image = np.full((10, 20, 3), 7, dtype=np.uint8)
    found = letterbox(image, (64, 64), [[2, 1, 4, 10]])
    assert found['img'].shape == (64, 64, 3)
    assert (found['img'][16:48] == 7).all()
    assert (found['img'][:16] == 114).all()
    assert (found['img'][48:] == 114).all()
    assert found['scale_factor'] == (3.2, 3.2)
    assert found['pad_offset'] == (0, 16)
    assert found['img_shape'] == (64, 64)
    assert found['gt_bboxes'].tensor.tolist() == [pytest.approx([6.4, 19.2, 12.8, 48])]


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([(64, 64), (96, 64), (32, 96)]))
def test_boxes_come_back_exactly(width, height, scale):
    whole = [0, 0, width, height]
    part = [width * 0.25, height * 0.5, width * 0.75, height]
    found = letterbox(np.zeros((height, width, 3), dtype=np.uint8), scale, [whole, part])
    left, top = found['pad_offset']
    x, y = found['scale_factor']
    back = (found['gt_bboxes'].tensor.double().numpy() - [left, top, left, top]) / [x, y, x, y]
    assert back == pytest.approx(np.array([whole, part]), abs=1e-3)
    box = found['gt_bboxes'].tensor[0].tolist()  # of the whole image: exactly what is not padding
    rows, columns = np.nonzero((found['img'] != 114).all(axis=2))
    assert box == pytest.approx([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], abs=1e-4)


def test_an_image_of_the_right_shape_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    found = letterbox(image, (96, 64))
    assert (found['img'] == image).all()
    assert found['scale_factor'] == (1, 1)


@pytest.mark.parametrize('scale', [(0, 64), (64, 64, 3)])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ConfigError, match='width and height'):
        Letterbox(scale=scale)
