"""`roi_align_*` and `roi_pool_*` of mmcv's compiled module."""

from __future__ import annotations

from torch import Tensor

from pointkd.ops.autograd import gradients
from pointkd.ops.registry import kernel
from pointkd.ops.roi_align import AlignSettings, roi_align, roi_align_from_argmax, roi_align_with_argmax
from pointkd.ops.roi_pool import roi_pool_from_argmax, roi_pool_with_argmax

MODES = ('max', 'avg')  # mmcv's numbers for them


@kernel('roi_align_forward')
def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill output (K, C, h, w) and, in mode max, where each maximum was sampled."""
    settings = AlignSettings(
        (aligned_height, aligned_width), spatial_scale, sampling_ratio, MODES[pool_mode], bool(aligned)
    )
    result, y, x = roi_align_with_argmax(input, rois, settings)
    output.copy_(result)
    if settings.mode == 'max':
        argmax_y.copy_(y)
        argmax_x.copy_(x)


@kernel('roi_align_backward')
def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill the gradient of the features (B, C, H, W)."""
    settings = AlignSettings(
        (aligned_height, aligned_width), spatial_scale, sampling_ratio, MODES[pool_mode], bool(aligned)
    )
    if settings.mode == 'max':
        grad_input.copy_(roi_align_from_argmax(grad_output, rois, argmax_y, argmax_x, tuple(grad_input.shape)))
        return
    # An average is linear in the features: its gradient needs their shape, not their values.
    (grad,) = gradients(lambda features: roi_align(features, rois, settings), [grad_input], grad_output)
    grad_input.copy_(grad)


@kernel('roi_pool_forward')
def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill output (K, C, h, w) and the pixel of each maximum."""
    result, pixel = roi_pool_with_argmax(input, rois, (pooled_height, pooled_width), spatial_scale)
    output.copy_(result)
    argmax.copy_(pixel)


@kernel('roi_pool_backward')
def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill the gradient of the features (B, C, H, W)."""
    grad_input.copy_(roi_pool_from_argmax(grad_output, rois, argmax, tuple(grad_input.shape)))
