"""Focal distillation: objects and background apart, weighed by where and in which channels the teacher is strong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softmax

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, widen


class FocalParts(NamedTuple):
    """The parts of the focal loss, scalars: on objects, on background, and of the attentions themselves."""

    foreground: Tensor
    background: Tensor
    attention: Tensor


def attentions(values: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Return where and in which channels a map is strong.

    `A_S = H·W · softmax(mean_c |F| / τ)` over positions, `A_C = C · softmax(mean_hw |F| / τ)` over channels; both have
    the mean 1.

    Args:
        values: (N, C, H, W).
        tau: temperature, above 0.

    Returns:
        (N, H, W) and (N, C).
    """
    strength = values.abs()
    spatial = softmax(strength.mean(1).flatten(1) / tau, dim=1) * (values.shape[2] * values.shape[3])
    channel = softmax(strength.mean((2, 3)) / tau, dim=1) * values.shape[1]
    return spatial.reshape(len(values), *values.shape[2:]), channel


def focal(student: Tensor, teacher: Tensor, foreground: Tensor, background: Tensor, tau: float) -> FocalParts:
    """Return the squared differences on objects and on background, and the difference of the attentions.

    With A of the teacher, and sums over the elements of a sample (mean over samples):

        `foreground = Σ M_fg A_S A_C (F_T - F_S)²`, `background` the same with M_bg,
        `attention = Σ |A_S(F_S) - A_S(F_T)| + Σ |A_C(F_S) - A_C(F_T)|`.

    Args:
        student: (N, C, H, W).
        teacher: (N, C, H, W); no gradient reaches it.
        foreground: (N, H, W) weight of each cell as part of an object (`box_masks`).
        background: (N, H, W) its weight as background.
        tau: temperature of the attentions, above 0.

    Returns:
        Three scalars; 0 with a gradient path where there are no elements.

    Raises:
        ShapeError: the shapes don't fit.
        ConfigError: tau is not above 0.
    Source: FGD (2111.11837), equations 3 to 8; sums divided by the batch as in the released code.
    """
    check_shape(student, 'N C H W', 'student')
    same_shape(student, teacher)
    positive(tau, 'tau')
    for name, mask in (('foreground', foreground), ('background', background)):
        if mask.shape != student[:, 0].shape:
            raise ShapeError(f'{name}: expected {tuple(student[:, 0].shape)}, got {tuple(mask.shape)}')
    if not student.numel():
        return FocalParts(student.sum(), student.sum(), student.sum())
    with full_precision(student):
        ours, theirs = widen(student), widen(teacher.detach())
        (our_spatial, our_channel), (spatial, channel) = attentions(ours, tau), attentions(theirs, tau)
        error = ((theirs - ours).square() * channel[:, :, None, None]).sum(1) * spatial  # (N, H, W)
        samples = len(student)
        difference = (our_spatial - spatial).abs().sum() + (our_channel - channel).abs().sum()
        return FocalParts(
            (error * foreground.to(error.dtype)).sum() / samples,
            (error * background.to(error.dtype)).sum() / samples,
            difference / samples,
        )


def box_masks(
    boxes: Sequence[Tensor], size: tuple[int, int], origin: tuple[float, float], cell: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Return the weight of each cell as part of an object and as background.

    A cell that a box touches has `M_fg = 1 / number of cells of the box`, of the smallest box where several overlap; so
    each object counts alike, however large. The other cells share a background of 1, `M_bg = 1 / their number`.

    Args:
        boxes: of each sample, (M, 4) x1, y1, x2, y2; what lies outside the map is cut off.
        size: height, width of the map.
        origin: x, y of the map's corner.
        cell: size of its cells in x and y.

    Returns:
        foreground and background, both (N, H, W) float32.
    """
    pairs = [_masks(entry, size, origin, cell) for entry in boxes]
    if not pairs:
        return torch.zeros((0, *size)), torch.zeros((0, *size))
    return torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])


def _masks(
    boxes: Tensor, size: tuple[int, int], origin: tuple[float, float], cell: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Return foreground and background (H, W) of one sample."""
    height, width = size
    limits = boxes.new_tensor([width, height])
    place, scale = boxes.new_tensor(origin), boxes.new_tensor(cell)
    first = torch.maximum(((boxes[:, :2] - place) / scale).floor(), torch.zeros_like(limits))
    last = torch.minimum(((boxes[:, 2:] - place) / scale).ceil(), limits)  # exclusive
    real = ((boxes[:, 2:] > boxes[:, :2]) & (last > first)).all(1)
    edges = torch.cat([first[real], last[real]], dim=1).long().tolist()
    foreground = torch.zeros(size)  # painted on the CPU: hundreds of small rectangles
    for x1, y1, x2, y2 in sorted(edges, key=_cells, reverse=True):  # the smallest last, on top
        foreground[y1:y2, x1:x2] = 1 / _cells((x1, y1, x2, y2))
    empty = foreground == 0
    background = empty.float() / empty.sum().clamp(min=1)
    return foreground.to(boxes.device), background.to(boxes.device)


def _cells(edges: Sequence[int]) -> int:
    """Return how many cells lie in x1, y1, x2, y2."""
    return (edges[2] - edges[0]) * (edges[3] - edges[1])
