"""`psamask_*` of mmcv's compiled module."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.autograd import gradients
from pointkd.ops.psamask import COLLECT, DISTRIBUTE, psa_mask
from pointkd.ops.registry import kernel

KINDS = (COLLECT, DISTRIBUTE)  # mmcv's numbers for them


@kernel('psamask_forward')
def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Fill output (B, H*W, H, W)."""
    output.copy_(psa_mask(input, KINDS[psa_type], (h_mask, w_mask)))


@kernel('psamask_backward')
def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Fill the gradient of the mask (B, h*w, H, W)."""
    # Linear in the mask: its gradient needs the shape, not the values.
    (grad,) = gradients(lambda mask: psa_mask(mask, KINDS[psa_type], (h_mask, w_mask)), [grad_input], grad_output)
    grad_input.copy_(grad)
