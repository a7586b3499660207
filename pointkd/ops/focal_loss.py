"""Focal losses on logits, one value a prediction (no reduction).

Source: Lin et al., Focal Loss for Dense Object Detection, equations 4 and 5; behaviour of mmcv's CUDA ops, except that
logarithms of probabilities are exact: where mmcv's float32 saturates at log(1.2e-38), the loss here goes on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import DataError


def sigmoid_focal_loss(
    logits: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None = None
) -> Tensor:
    """Return the focal loss of independent class scores: -alpha_t (1 - p_t)^gamma log(p_t).

    Args:
        logits: (N, C) float; gradients reach them.
        target: (N,) int64 class; any number outside 0..C-1 (C by custom) is background.
        gamma: how much well-classified predictions are played down.
        alpha: weight of the positive class; negatives weigh 1 - alpha.
        weight: (C,) factor of the target's class, 1 for background; None for none.

    Returns:
        (N, C), in the type of the logits.
    """
    sizes = check_shape(logits, 'N C', 'logits')
    check_shape(target, str(sizes['N']), 'target')
    positive = target[:, None] == torch.arange(sizes['C'], device=logits.device)
    towards = torch.where(positive, logits, -logits)  # the logit of being right
    balance = torch.where(positive, alpha, 1 - alpha).to(logits.dtype)
    loss = -balance * torch.sigmoid(-towards) ** gamma * F.logsigmoid(towards)
    return loss if weight is None else loss * _of_target(weight, target)[:, None]


def softmax_focal_loss(
    logits: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None = None
) -> Tensor:
    """Return the focal loss of exclusive class scores: -alpha (1 - p_t)^gamma log(p_t).

    Args:
        logits: (N, C) float; gradients reach them.
        target: (N,) int64 class; negative targets count 0.
        gamma: how much well-classified predictions are played down.
        alpha: weight of the loss.
        weight: (C,) factor of the target's class, or None.

    Returns:
        (N,), in the type of the logits.

    Raises:
        DataError: a target is C or more.
    """
    return focal_loss_of_softmax(F.log_softmax(logits, dim=1), target, gamma, alpha, weight)


def focal_loss_of_softmax(
    log_probability: Tensor, target: Tensor, gamma: float, alpha: float, weight: Tensor | None = None
) -> Tensor:
    """Return `softmax_focal_loss` from logarithms of the class probabilities, (N, C) -> (N,)."""
    sizes = check_shape(log_probability, 'N C', 'log_probability')
    check_shape(target, str(sizes['N']), 'target')
    if len(target) and int(target.max()) >= sizes['C']:
        raise DataError(
            f'softmax_focal_loss: expected targets below {sizes["C"]} (the number of classes), got {int(target.max())}'
        )
    chosen = log_probability.gather(1, target.clamp(min=0)[:, None])[:, 0]
    loss = -alpha * (1 - chosen.exp()) ** gamma * chosen
    loss = torch.where(target >= 0, loss, 0)
    return loss if weight is None else loss * _of_target(weight, target)


def _of_target(weight: Tensor, target: Tensor) -> Tensor:
    """Return the weight of each target's class, 1 for targets that are no class."""
    classes = len(weight)
    known = (target >= 0) & (target < classes)
    return torch.where(known, weight[target.clamp(0, classes - 1)], 1)


def sigmoid_focal_loss_reference(logits: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    """Return what `sigmoid_focal_loss` returns, one prediction after the other."""
    rows = []
    for scores, label in zip(logits.sigmoid(), target.tolist(), strict=True):
        losses = [
            -alpha * (1 - p) ** gamma * p.log() if place == label else -(1 - alpha) * p**gamma * (1 - p).log()
            for place, p in enumerate(scores)
        ]
        rows.append(torch.stack(losses))
    return torch.stack(rows)


def softmax_focal_loss_reference(logits: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    """Return what `softmax_focal_loss` returns, one prediction after the other."""
    losses = []
    for scores, label in zip(logits.softmax(dim=1), target.tolist(), strict=True):
        losses.append(-alpha * (1 - scores[label]) ** gamma * scores[label].log() if label >= 0 else scores.sum() * 0)
    return torch.stack(losses)
