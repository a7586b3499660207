"""Which anchor points learn which object."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pointkd.models.yolov8.functional import alignment, box_iou, decode


class Objects(NamedTuple):
    """The objects of a batch, one after the other.

    Attributes:
        image: (G,) int64, number of the image in the batch.
        boxes: (G, 4) x1 y1 x2 y2 in pixels.
        labels: (G,) int64.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor


class Positives(NamedTuple):
    """The anchor points that learn an object; no point occurs twice.

    Attributes:
        image: (P,) int64, number of the image.
        anchor: (P,) int64, number of the point.
        box: (P,) int64, row of `Objects`.
        target: (P,) soft class target, from 0 to 1.
    """

    image: Tensor
    anchor: Tensor
    box: Tensor
    target: Tensor


@torch.no_grad()
def task_aligned(
    scores: Tensor,
    distances: Tensor,
    points: Tensor,
    stride: Tensor,
    objects: Objects,
    *,
    topk: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Positives:
    """Return the points whose predictions fit each object best in class and place.

    Candidates of an object are the points inside its box. Their metric is `t = s^α · u^β`, with s the score of the
    object's class and u the CIoU of box and prediction, not below 0. The `topk` best with `t > 0` learn it (of equal
    ones the first); a point that several objects claim goes to the one of highest u. The soft target is
    `t / max t · max u`, the maxima over the object's points.

    Only pairs of a point and a box around it are looked at, so the cost follows the area of the objects.

    Args:
        scores: (B, A, C) logits.
        distances: (B, A, 4) left, top, right, bottom in cells.
        points: (A, 2) x, y in cells.
        stride: (A, 1) pixels a cell.
        objects: of the batch.
        topk: points an object may have.
        alpha, beta: exponents of the metric.

    Returns:
        The positives, by object.
    Source: TOOD (2108.07755), with the constants of YOLOv8. mmdet's `TaskAlignedAssigner` chooses the best of all
        points and then drops those outside the box, which leaves small objects without any; so it does not fit here.
    """
    centres = points * stride
    box, anchor = _inside(centres, objects.boxes).nonzero(as_tuple=True)  # pairs, by object
    image = objects.image[box]
    predicted = decode(points[anchor], distances[image, anchor], stride[anchor])
    overlap = box_iou(predicted, objects.boxes[box], 'ciou').clamp(min=0)
    score = scores[image, anchor, objects.labels[box]].to(overlap.dtype).sigmoid()
    metric = alignment(score, overlap, alpha, beta)
    best = _best(metric, box, topk)
    best = best[_won(overlap[best], image[best] * len(points) + anchor[best], scores.shape[0] * len(points))]
    box, overlap, metric = box[best], overlap[best], metric[best]
    top_metric, top_overlap = (_largest(value, box, len(objects.boxes)) for value in (metric, overlap))
    return Positives(image[best], anchor[best], box, metric / top_metric[box] * top_overlap[box])


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Return which of the points (A, 2) lie within which of the boxes (G, 4): (G, A) bool."""
    x, y = centres.unbind(1)
    x1, y1, x2, y2 = boxes.unsqueeze(2).unbind(1)  # (G, 1) each
    return (x > x1) & (x < x2) & (y > y1) & (y < y2)


def _best(metric: Tensor, box: Tensor, count: int) -> Tensor:
    """Return the numbers of the `count` largest positive metrics of each box, by box; of equal ones the first."""
    order = metric.argsort(descending=True, stable=True)
    order = order[box[order].argsort(stable=True)]
    sizes = torch.bincount(box)
    rank = torch.arange(len(box), device=box.device) - (sizes.cumsum(0) - sizes)[box[order]]
    return order[(rank < count) & (metric[order] > 0)]


def _won(overlap: Tensor, place: Tensor, places: int) -> Tensor:
    """Return which claims hold: of those on one place the one of the largest overlap, of equal ones the first."""
    largest = _largest(overlap, place, places)
    number = torch.arange(len(place), device=place.device)
    holds = overlap == largest[place]
    first = number.new_full((places,), len(place))
    first.scatter_reduce_(0, place[holds], number[holds], 'amin')
    return number == first[place]


def _largest(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Return the largest of the values (P,), none below 0, of each group: (groups,)."""
    return values.new_zeros(groups).scatter_reduce_(0, group, values, 'amax')
