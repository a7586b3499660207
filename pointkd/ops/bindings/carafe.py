"""`carafe_*` and `carafe_naive_*` of mmcv's compiled module."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.autograd import gradients
from pointkd.ops.carafe import carafe
from pointkd.ops.registry import kernel


@kernel('carafe_naive_forward')
def carafe_naive_forward(
    features: Tensor, masks: Tensor, output: Tensor, kernel_size: int, group_size: int, scale_factor: int
) -> None:
    """Fill output (B, C, scale*H, scale*W)."""
    output.copy_(carafe(features, masks, kernel_size, group_size, scale_factor))


@kernel('carafe_naive_backward')
def carafe_naive_backward(
    grad_output: Tensor,
    features: Tensor,
    masks: Tensor,
    grad_input: Tensor,
    grad_masks: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill the gradients of features and masks."""

    def reassemble(features: Tensor, masks: Tensor) -> Tensor:
        return carafe(features, masks, kernel_size, group_size, scale_factor)

    for target, grad in zip(
        (grad_input, grad_masks), gradients(reassemble, [features, masks], grad_output), strict=True
    ):
        target.copy_(grad)


@kernel('carafe_forward')
def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill output, and `rfeatures`, from which mmcv calls the backward kernel."""
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


@kernel('carafe_backward')
def carafe_backward(
    grad_output: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rgrad_output: Tensor,
    rgrad_input_hs: Tensor,
    rgrad_input: Tensor,
    rgrad_masks: Tensor,
    grad_input: Tensor,
    grad_masks: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill the gradients of features and masks."""
    carafe_naive_backward(grad_output, rfeatures, masks, grad_input, grad_masks, kernel_size, group_size, scale_factor)
