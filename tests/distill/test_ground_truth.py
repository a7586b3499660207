"""Label maps and boxes reach methods as the student's loss sees them: behind augmentation and padding."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.errors import DataError
from pointkd.distill.ground_truth import box_lists, label_maps


def sample(labels, key='data'):
    """A data sample with labels."""
    return SimpleNamespace(gt_sem_seg=PixelData(**{key: labels}))


@pytest.mark.parametrize('key', ['data', 'sem_seg'])
def test_labels_of_a_batch(key):
    maps = torch.arange(24, dtype=torch.uint8).reshape(2, 1, 3, 4)
    found = label_maps([sample(labels, key) for labels in maps], torch.zeros(2, 5, 1, 1))
    assert found.dtype == torch.int64
    assert torch.equal(found, maps[:, 0].long())


def test_no_samples():
    assert label_maps([], torch.zeros(0, 3, 2, 2)).shape == (0, 1, 1)


@pytest.mark.parametrize(
    ('samples', 'words'),
    [
        (None, 'got none'),
        ([sample(torch.zeros(1, 3, 4))], 'expected 2, one a sample'),
        ([sample(torch.zeros(1, 3, 4)), SimpleNamespace()], 'SimpleNamespace without it'),
        ([sample(torch.zeros(1, 3, 4)), sample(torch.zeros(1, 4, 4))], r'\(3, 4\), \(4, 4\)'),
        ([sample(torch.zeros(2, 3, 4)), sample(torch.zeros(2, 3, 4))], r'got \(2, 3, 4\)'),
    ],
)
def test_bad_samples(samples, words):
    with pytest.raises(DataError, match=words):
        label_maps(samples, torch.zeros(2, 5, 1, 1))


def test_boxes_of_images_and_clouds():
    from mmdet3d.structures import LiDARInstance3DBoxes

    flat = SimpleNamespace(gt_instances=SimpleNamespace(bboxes=torch.tensor([[1.0, 2.0, 3.0, 5.0]])))
    solid = LiDARInstance3DBoxes(torch.tensor([[4.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.5]]))  # turned by nearly 90 degrees
    cloud = SimpleNamespace(gt_instances_3d=SimpleNamespace(bboxes_3d=solid))
    found = box_lists([flat, cloud], torch.zeros(2, 1, 1, 1))
    assert found[0].tolist() == [[1.0, 2.0, 3.0, 5.0]]
    assert found[1].tolist() == [[3.5, 0.0, 4.5, 2.0]]


def test_mmdets_box_types_are_opened():
    from mmdet.structures.bbox import HorizontalBoxes

    boxes = HorizontalBoxes(torch.tensor([[1.0, 2.0, 3.0, 5.0]]))
    found = box_lists([SimpleNamespace(gt_instances=SimpleNamespace(bboxes=boxes))], torch.zeros(1, 1))
    assert found[0].tolist() == [[1.0, 2.0, 3.0, 5.0]]
