from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pointkd.core.errors import ShapeError
from pointkd.ops.box_overlaps import bbox_overlaps
from pointkd.ops.iou3d import boxes_overlap_bev, nms3d, nms3d_normal
from pointkd.ops.nms_rotated import nms_rotated

BEV = [0, 1, 3, 4, 6]


def _boxes(count: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([10, 10, 2, 3, 1.5, 1, 6.3])
    boxes = torch.rand(count, 7, generator=generator) * scale + torch.tensor([0, 0, 0, 2.5, 1, 1, -3.1])
    return boxes.to(dtype), torch.rand(count, generator=generator)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_overlap_of_boxes_without_yaw(dtype: torch.dtype) -> None:
    boxes, _ = _boxes(30, 0, dtype)
    boxes[:, 6] = 0
    corners = torch.cat([boxes[:, :2] - boxes[:, 3:5] / 2, boxes[:, :2] + boxes[:, 3:5] / 2], dim=1)
    expected = bbox_overlaps(corners, corners, 'iof') * (boxes[:, 3] * boxes[:, 4])[:, None]
    overlap = boxes_overlap_bev(boxes, boxes)
    assert overlap.dtype == dtype
    torch.testing.assert_close(overlap, expected, rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-12)


def test_height_plays_no_part() -> None:
    boxes, _ = _boxes(10, 1)
    lifted = boxes.clone()
    lifted[:, 2] += 100
    assert torch.equal(boxes_overlap_bev(boxes, lifted), boxes_overlap_bev(boxes, boxes))


def test_nms3d_is_rotated_nms_from_above() -> None:
    boxes, scores = _boxes(80, 2)
    assert nms3d(boxes, scores, 0.2).tolist() == nms_rotated(boxes[:, BEV], scores, 0.2).tolist()


def test_nms3d_normal_takes_yaw_for_zero() -> None:
    boxes, scores = _boxes(80, 3)
    straight = boxes.clone()
    straight[:, 6] = 0
    assert nms3d_normal(boxes, scores, 0.2).tolist() == nms3d(straight, scores, 0.2).tolist()


def test_empty() -> None:
    nothing = torch.zeros(0, 7)
    assert boxes_overlap_bev(nothing, torch.zeros(2, 7)).shape == (0, 2)
    assert nms3d(nothing, torch.zeros(0), 0.1).tolist() == []
    assert nms3d_normal(nothing, torch.zeros(0), 0.1).tolist() == []


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match='boxes1'):
        boxes_overlap_bev(torch.zeros(1, 5), torch.zeros(1, 7))
    for function in (nms3d, nms3d_normal):
        with pytest.raises(ShapeError, match='scores'):
            function(torch.zeros(2, 7), torch.zeros(1), 0.1)
