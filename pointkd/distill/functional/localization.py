"""Localisation distillation: box sides as distributions, and which cells are worth comparing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, total_of, widen

INSIDE_PX = 0.01  # a centre nearer to a side than this is not inside a box


def localization(student: Tensor, teacher: Tensor, tau: float, weights: Tensor) -> Tensor:
    """Return the weighted mean divergence of box sides, student from teacher.

    A side of a box is a distribution over B distances. With `p = softmax(z / τ)`

        `L = τ² · Σ_r m_r · ¼ Σ_sides KL(p_T ‖ p_S) / B / Σ_r m_r`.

    Args:
        student: (R, 4, B) scores before the softmax: cells, sides, bins.
        teacher: (R, 4, B); no gradient reaches it.
        tau: temperature, above 0.
        weights: (R,) m_r >= 0, 0 leaves a cell out; no gradient reaches it.

    Returns:
        Scalar; 0 with a gradient path where no cell has a weight.

    Raises:
        ShapeError: the shapes differ or are others.
        ConfigError: tau is not above 0.
    Source: LD (2102.12252), equation 3; the mean over bins is the released code's.
    """
    check_shape(student, 'R 4 B', 'student')
    same_shape(student, teacher)
    positive(tau, 'tau')
    if weights.shape != student.shape[:1]:
        raise ShapeError(f'weights: expected {tuple(student.shape[:1])}, got {tuple(weights.shape)}')
    with full_precision(student):
        log_student = log_softmax(widen(student) / tau, dim=2)
        log_teacher = log_softmax(widen(teacher.detach()) / tau, dim=2)
        weights = weights.detach().to(log_student.dtype)
        divergence = (log_teacher.exp() * (log_teacher - log_student)).sum((1, 2))
        per_cell = divergence / (4 * max(1, student.shape[2]))
        return (per_cell * weights).sum() * tau**2 / total_of(weights)


def box_regions(
    centres: Tensor, strides: Tensor, boxes: Tensor, *, scale: float = 8.0, candidates: int = 9, ring: float = 0.25
) -> tuple[Tensor, Tensor]:
    """Return the cells that describe a box (main region), and a ring around them that still knows something of it.

    Each cell stands for a square anchor of `scale` strides. Of a box's `candidates` nearest cells on every level, those
    are its main region whose overlap (IoU) with the box is at least the mean plus the standard deviation of all its
    candidates, and whose centre lies inside (ATSS). The ring are the cells whose distance-IoU lies between `ring` times
    that threshold and the threshold, and that are in no box's main region.

    Args:
        centres: (R, 2) x, y of the cells, pixels.
        strides: (R,) size of the cells, pixels; equal strides are a level.
        boxes: (M, 4) x1, y1, x2, y2, pixels.
        scale: side of an anchor in strides.
        candidates: nearest cells of each level.
        ring: lower end of the ring, as a part of the threshold; 1 for no ring.

    Returns:
        main (R,) and ring (R,), bool.
    Cost: O(R·M) time and memory.
    Source: ATSS (1912.02424), algorithm 1; LD (2102.12252), algorithm 1.
    """
    nothing = torch.zeros(len(centres), dtype=torch.bool, device=centres.device)
    if not len(boxes) or not len(centres):
        return nothing, nothing
    half = (strides * scale / 2)[:, None]
    overlaps, distance_overlaps = _overlaps(torch.cat([centres - half, centres + half], dim=1), boxes)  # (R, M)
    apart = torch.cdist(centres, (boxes[:, :2] + boxes[:, 2:]) / 2)
    chosen = []
    for stride in strides.unique():
        places = torch.nonzero(strides == stride).flatten()
        nearest = apart[places].topk(min(candidates, len(places)), dim=0, largest=False).indices
        chosen.append(places[nearest])
    index = torch.cat(chosen)  # (candidates of all levels, M)
    candidate = overlaps.gather(0, index)
    spread = candidate.std(0) if len(index) > 1 else torch.zeros_like(candidate[0])
    threshold = candidate.mean(0) + spread  # (M,)
    inside = torch.cat([centres[:, None] - boxes[:, :2], boxes[:, 2:] - centres[:, None]], dim=2).amin(2) > INSIDE_PX
    good = (candidate >= threshold) & inside.gather(0, index)
    main = nothing.index_put((index[good],), torch.ones((), dtype=torch.bool, device=centres.device))
    valuable = (distance_overlaps >= ring * threshold) & (distance_overlaps < threshold)
    return main, valuable.any(1) & ~main


def _overlaps(anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and distance-IoU (R, M) of boxes (R, 4) and (M, 4)."""
    ours, theirs = anchors[:, None], boxes[None]
    low, high = torch.maximum(ours[..., :2], theirs[..., :2]), torch.minimum(ours[..., 2:], theirs[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (ours, theirs)]
    overlap = common / (areas[0] + areas[1] - common).clamp(min=1e-6)
    hull = torch.maximum(ours[..., 2:], theirs[..., 2:]) - torch.minimum(ours[..., :2], theirs[..., :2])
    shift = (ours[..., :2] + ours[..., 2:] - theirs[..., :2] - theirs[..., 2:]) / 2
    return overlap, overlap - shift.square().sum(-1) / hull.square().sum(-1).clamp(min=1e-6)
