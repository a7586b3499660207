"""`deform_conv_*` and `modulated_deform_conv_*` of mmcv's compiled module.

mmcv hands sizes of the kernel, an `im2col_step` and buffers as well: the weight has the first, and our functions bound
their memory themselves.
"""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.deform_conv import DeformInputs, DeformSettings, deform_conv2d, deform_conv2d_backward
from pointkd.ops.registry import kernel


def _plain(
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    **_: int,
) -> DeformSettings:
    """Return mmcv's settings of the plain form, which name the width first."""
    return DeformSettings((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)


def _modulated(
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    **_: int,
) -> DeformSettings:
    """Return mmcv's settings of the modulated form."""
    return DeformSettings((stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w), group, deformable_group)


@kernel('deform_conv_forward')
def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **settings: int
) -> None:
    """Fill output (B, O, h, w)."""
    output.copy_(deform_conv2d(DeformInputs(input, offset, weight), _plain(**settings)))


@kernel('deform_conv_backward_input')
def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Fill the gradients of features and offsets."""
    inputs = DeformInputs(input, offset, weight)
    grads = deform_conv2d_backward(grad_output, inputs, _plain(**settings), ('features', 'offset'))
    grad_input.copy_(grads['features'])
    grad_offset.copy_(grads['offset'])


@kernel('deform_conv_backward_parameters')
def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **settings: int,
) -> None:
    """Add `scale` times the gradient of the weight."""
    inputs = DeformInputs(input, offset, grad_weight)  # the gradient of the weight does not depend on the weight
    grads = deform_conv2d_backward(grad_output, inputs, _plain(**settings), ('weight',))
    grad_weight.add_(grads['weight'], alpha=scale)


@kernel('modulated_deform_conv_forward')
def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Fill output (B, O, h, w)."""
    output.copy_(deform_conv2d(DeformInputs(input, offset, weight, mask), _modulated(**settings)))
    if with_bias:
        output.add_(bias.view(1, -1, 1, 1))


@kernel('modulated_deform_conv_backward')
def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Fill the gradients of features, offsets, masks, weights and bias."""
    inputs = DeformInputs(input, offset, weight, mask)
    targets = {'features': grad_input, 'offset': grad_offset, 'weight': grad_weight, 'mask': grad_mask}
    for name, grad in deform_conv2d_backward(grad_output, inputs, _modulated(**settings), tuple(targets)).items():
        targets[name].copy_(grad)
    if with_bias:
        grad_bias.copy_(grad_output.sum(dim=(0, 2, 3)))
