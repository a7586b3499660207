"""`sigmoid_focal_loss_*` and `softmax_focal_loss_*` of mmcv's compiled module.

mmcv hands an empty `weight` for "no class weights", and the softmax (not the logits) to the softmax loss.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.ops.autograd import gradients
from pointkd.ops.focal_loss import focal_loss_of_softmax, sigmoid_focal_loss
from pointkd.ops.registry import kernel


@kernel('sigmoid_focal_loss_forward')
def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill output (N, C)."""
    output.copy_(sigmoid_focal_loss(input, target, gamma, alpha, _given(weight)))


@kernel('sigmoid_focal_loss_backward')
def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill the gradient of the sum of the losses."""

    def loss(logits: Tensor) -> Tensor:
        return sigmoid_focal_loss(logits, target, gamma, alpha, _given(weight))

    grad_input.copy_(gradients(loss, [input], torch.ones_like(input))[0])


@kernel('softmax_focal_loss_forward')
def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill output (N) from the softmax of the logits (N, C)."""
    output.copy_(focal_loss_of_softmax(_log(input), target, gamma, alpha, _given(weight)))


@kernel('softmax_focal_loss_backward')
def softmax_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill the gradient of the sum of the losses with respect to the logits, from their softmax (N, C)."""

    def loss(logits: Tensor) -> Tensor:
        return focal_loss_of_softmax(logits.log_softmax(dim=1), target, gamma, alpha, _given(weight))

    # Logarithms of probabilities are logits of the same softmax.
    grad_input.copy_(gradients(loss, [_log(input)], torch.ones_like(buff))[0])


def _given(weight: Tensor) -> Tensor | None:
    return weight if weight.numel() else None


def _log(probability: Tensor) -> Tensor:
    return probability.clamp(min=torch.finfo(probability.dtype).tiny).log()
