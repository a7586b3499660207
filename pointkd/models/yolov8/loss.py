"""The training loss on raw outputs: class scores and distributions of distances."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

from pointkd.models.yolov8.assign import Objects, Positives, task_aligned
from pointkd.models.yolov8.functional import box_iou, decode, dfl_loss, encode, expected_distances


class Losses(NamedTuple):
    """The three terms before their gains, scalars."""

    classes: Tensor
    boxes: Tensor
    distances: Tensor


def detection_loss(scores: Tensor, bins: Tensor, points: Tensor, stride: Tensor, objects: Objects) -> Losses:
    """Return the losses of a batch.

    With soft targets q of the positives and `S = max(1, Σ q)`:

    - classes: binary cross-entropy of every point and class, target q for the object's class and else 0;
    - boxes: `Σ q (1 − CIoU)` over the positives;
    - distances: `Σ q · mean over the sides of DFL`;

    each divided by S.

    Args:
        scores: (B, A, C) logits.
        bins: (B, A, 4, K) logits of the distances' distributions.
        points: (A, 2) x, y in cells.
        stride: (A, 1) pixels a cell.
        objects: of the batch; none is fine: the class term is then that of an empty scene, the others are 0.

    Returns:
        The terms, each with a gradient path to its outputs.
    """
    positives = task_aligned(scores.detach(), expected_distances(bins.detach()), points, stride, objects)
    total = positives.target.sum().clamp(min=1)
    return Losses(
        _class_loss(scores, positives, objects) / total,
        *(term / total for term in _place_losses(bins, points, stride, positives, objects)),
    )


def _class_loss(scores: Tensor, positives: Positives, objects: Objects) -> Tensor:
    """Return the summed cross-entropy: log(1 + e^x) − q x, where all but the positives' q are 0."""
    chosen = scores[positives.image, positives.anchor, objects.labels[positives.box]]
    return softplus(scores).sum() - (chosen * positives.target).sum()


def _place_losses(
    bins: Tensor, points: Tensor, stride: Tensor, positives: Positives, objects: Objects
) -> tuple[Tensor, Tensor]:
    """Return the summed losses of boxes and of distances."""
    logits = bins[positives.image, positives.anchor]  # (P, 4, K)
    centre, step, goal = points[positives.anchor], stride[positives.anchor], objects.boxes[positives.box]
    predicted = decode(centre, expected_distances(logits), step)
    overlap = box_iou(predicted, goal, 'ciou')
    sides = dfl_loss(logits, encode(centre, goal, step)).mean(1)
    return ((1 - overlap) * positives.target).sum(), (sides * positives.target).sum()
