import numpy as np
import pytest
import torch
from helpers.yolov8 import flat_boxes

from pointkd.core.errors import ConfigError
from pointkd.datasets.yolov8 import CentredAffine
from pointkd.datasets.yolov8.affine import CANVAS, worth_keeping


def sample(image, boxes, **more):
    return {
        'img': image,
        'gt_bboxes': flat_boxes(boxes),
        'gt_bboxes_labels': np.arange(len(boxes)),
        'gt_ignore_flags': np.zeros(len(boxes), dtype=bool),
        **more,
    }


def bright(image, box):
    """The smallest box around the bright pixels of an image near a box."""
    rows, columns = np.nonzero(image[..., 0] > 185)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def painted(height, width, box):
    image = np.full((height, width, 3), 114, dtype=np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 255
    return image


def test_without_randomness_an_image_is_fitted_in_the_middle():
    found = CentredAffine((64, 64), scale=0, translate=0)(sample(painted(32, 64, (8, 8, 24, 24)), [[8, 8, 24, 24]]))
    assert found['img'].shape == (64, 64, 3)
    assert found['gt_bboxes'].tensor.tolist() == [[8, 24, 24, 40]]
    assert bright(found['img'], None) == [8, 24, 24, 40]


def test_the_middle_of_a_mosaic_is_cut_out():
    canvas = painted(128, 128, (40, 40, 60, 60))
    found = CentredAffine((64, 64), scale=0, translate=0)(sample(canvas, [[40, 40, 60, 60]], **{CANVAS: True}))
    assert (found['img'] == canvas[32:96, 32:96]).all()
    assert found['gt_bboxes'].tensor.tolist() == [[8, 8, 28, 28]]
    assert CANVAS not in found


@pytest.mark.parametrize('seed', range(20))
def test_boxes_go_where_the_pixels_go(seed):
    np.random.seed(seed)
    box = [30, 20, 70, 60]
    found = CentredAffine((96, 96), scale=0.4, translate=0.2)(sample(painted(90, 120, box), [box]))
    (moved,) = found['gt_bboxes'].tensor.tolist()
    assert bright(found['img'], moved) == pytest.approx(moved, abs=1)


def test_sizes_and_places_vary_as_far_as_asked():
    np.random.seed(0)
    widths, centres = [], []
    for _ in range(200):
        found = CentredAffine((100, 100), scale=0.5, translate=0.1)(sample(np.zeros((100, 100, 3)), [[45, 45, 55, 55]]))
        (box,) = found['gt_bboxes'].tensor.tolist()
        widths.append(box[2] - box[0])
        centres.append((box[0] + box[2]) / 2)
    assert 5 <= min(widths) < 5.5
    assert 14.5 < max(widths) <= 15.0001
    assert 40 <= min(centres) < 41
    assert 59 < max(centres) <= 60


def test_what_is_left_too_small_goes_with_its_label():
    boxes = [[10, 10, 40, 40], [10, 10, 11, 40], [-100, 10, 8, 40], [-10, 10, 8, 40]]
    found = CentredAffine((64, 64), scale=0, translate=0)(sample(np.zeros((64, 64, 3)), boxes))
    assert found['gt_bboxes_labels'].tolist() == [0, 3]
    assert found['gt_bboxes'].tensor.tolist() == [[10, 10, 40, 40], [0, 10, 8, 40]]
    assert len(found['gt_ignore_flags']) == 2
    kept = worth_keeping(torch.tensor([3.0, 3, 300, 5]), torch.tensor([3.0, 2, 2.5, 5]), torch.tensor([1, 1, 1, 0.1]))
    assert kept.tolist() == [True, False, False, False]


def test_no_objects_and_settings_out_of_range():
    assert len(CentredAffine((64, 64))(sample(np.zeros((10, 10, 3)), []))['gt_bboxes']) == 0
    for settings in ({'scale': 1.0}, {'translate': -0.1}):
        with pytest.raises(ConfigError, match='must lie in'):
            CentredAffine((64, 64), **settings)
