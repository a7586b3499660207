"""Deformable convolution, plain and modulated: a convolution whose kernel taps are moved by learned offsets.

Source: Dai et al., Deformable Convolutional Networks, section 2; Zhu et al., Deformable ConvNets v2, section 3.2.
Behaviour of mmcv's compiled ops: a tap whose position is not within one pixel of the map gives 0 and no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.ops.autograd import gradients
from pointkd.ops.sampling import bilinear, pixel_table, weighted_rows, working_dtype

SAMPLED_AT_ONCE = 2**24  # numbers held at a time: 64 MiB in float32
OUTSIDE = -2.0  # a coordinate at which every neighbouring pixel lies outside the map


@dataclass(frozen=True)
class DeformSettings:
    """Geometry of a deformable convolution; pairs are (height, width).

    Attributes:
        stride: pixels between two outputs.
        padding: zeros around the map.
        dilation: pixels between two taps.
        groups: channel groups of the convolution.
        deform_groups: channel groups that have their own offsets.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    deform_groups: int = 1


@dataclass(frozen=True)
class DeformInputs:
    """Tensors of a deformable convolution (K taps, G deform groups, h and w of the output), or their gradients.

    Attributes:
        features: (B, C, H, W).
        offset: (B, G*K*2, h, w), for each group and tap the shift of row and column.
        weight: (O, C / groups, kernel height, kernel width).
        mask: (B, G*K, h, w) factor of each tap, or None.
    """

    features: Tensor
    offset: Tensor
    weight: Tensor
    mask: Tensor | None = None


def deform_conv2d(inputs: DeformInputs, settings: DeformSettings) -> Tensor:
    """Return the convolution of features sampled at moved taps; gradients reach every input.

    Args:
        inputs: features, offsets, weights, and a mask for the modulated form.
        settings: geometry.

    Returns:
        (B, O, h, w), in the type of the features.

    Raises:
        ShapeError: the inputs don't fit each other.

    Cost: without gradients, some 200 MB beyond the result, however large the batch and the map are; autograd keeps the
    sampled values, as many as features times taps (`deform_conv2d_backward` does not).
    """
    height, width = _check(inputs, settings)
    pieces = [_piece(part, rows, width, settings) for part, rows, _ in _parts(inputs, settings)]
    output = torch.cat(pieces).view(len(inputs.features), height, width, len(inputs.weight))
    return output.permute(0, 3, 1, 2).to(inputs.features.dtype).contiguous()


def deform_conv2d_backward(
    grad: Tensor, inputs: DeformInputs, settings: DeformSettings, names: tuple[str, ...]
) -> dict[str, Tensor]:
    """Return gradients of `deform_conv2d` without ever holding all sampled values.

    Args:
        grad: (B, O, h, w) gradient of the output.
        inputs: what the convolution was called with.
        settings: geometry.
        names: fields of `inputs` whose gradient is wanted.

    Returns:
        Gradient by field name, like that input.
    """
    _, width = _check(inputs, settings)
    totals = {name: torch.zeros_like(getattr(inputs, name), dtype=working_dtype(grad.dtype)) for name in names}
    for part, rows, samples in _parts(inputs, settings):

        def convolve(*tensors: Tensor, part: DeformInputs = part, rows: slice = rows) -> Tensor:
            return _piece(replace(part, **dict(zip(names, tensors, strict=True))), rows, width, settings)

        piece = grad[samples].flatten(2)[:, :, rows].transpose(1, 2).flatten(0, 1)  # (n, O)
        found = gradients(convolve, [getattr(part, name) for name in names], piece.to(working_dtype(grad.dtype)))
        for name, value in zip(names, found, strict=True):
            (totals[name] if name == 'weight' else totals[name][samples]).add_(value)
    return {name: total.to(getattr(inputs, name).dtype) for name, total in totals.items()}


def output_size(inputs: DeformInputs, settings: DeformSettings) -> tuple[int, int]:
    """Return the height and width of the output."""
    height, width = (
        (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for length, kernel, stride, padding, dilation in zip(
            inputs.features.shape[2:],
            inputs.weight.shape[2:],
            settings.stride,
            settings.padding,
            settings.dilation,
            strict=True,
        )
    )
    return height, width


def _check(inputs: DeformInputs, settings: DeformSettings) -> tuple[int, int]:
    sizes = check_shape(inputs.features, 'B C H W', 'features')
    kernel = check_shape(inputs.weight, 'O I h w', 'weight')
    taps = kernel['h'] * kernel['w'] * settings.deform_groups
    height, width = output_size(inputs, settings)
    if min(height, width) < 1:
        raise ShapeError(f'deform_conv2d: a map of {sizes["H"]} x {sizes["W"]} is smaller than the kernel')
    if kernel['I'] * settings.groups != sizes['C'] or sizes['C'] % settings.deform_groups:
        raise ShapeError(
            f'deform_conv2d: {sizes["C"]} channels do not fit a weight for {kernel["I"]} channels in {settings.groups} '
            f'groups, with {settings.deform_groups} deform groups'
        )
    check_shape(inputs.offset, f'{sizes["B"]} {taps * 2} {height} {width}', 'offset')
    if inputs.mask is not None:
        check_shape(inputs.mask, f'{sizes["B"]} {taps} {height} {width}', 'mask')
    return height, width


def _parts(inputs: DeformInputs, settings: DeformSettings) -> Iterator[tuple[DeformInputs, slice, slice]]:
    """Cut the work into parts of bounded size: whole samples, or some output pixels of one sample.

    Yields inputs of the samples, the output pixels to make, and the samples' place in the batch.
    """
    batch, channels = inputs.features.shape[:2]
    height, width = output_size(inputs, settings)
    taps = inputs.weight.shape[2] * inputs.weight.shape[3]
    # A tap costs its channels, and for each deform group the numbers and weights of four pixels, like some 16 channels.
    cost = taps * max(channels, 16 * settings.deform_groups)
    limit = max(1, SAMPLED_AT_ONCE // cost)  # output pixels at once
    samples = max(1, limit // (height * width))
    for first in range(0, max(batch, 1), samples):
        chosen = slice(first, min(first + samples, batch))
        part = DeformInputs(
            inputs.features[chosen],
            inputs.offset[chosen],
            inputs.weight,
            None if inputs.mask is None else inputs.mask[chosen],
        )
        for begin in range(0, height * width, limit):
            yield part, slice(begin, min(begin + limit, height * width)), chosen


def _piece(inputs: DeformInputs, rows: slice, width: int, settings: DeformSettings) -> Tensor:
    """Return some output pixels of some samples, (samples * pixels, O) in working precision."""
    out_channels, group_channels, *_ = inputs.weight.shape
    columns = _sample(inputs, rows, width, settings)  # (n, K, C)
    columns = columns.unflatten(2, (settings.groups, group_channels))
    weight = inputs.weight.flatten(2).unflatten(0, (settings.groups, -1)).to(columns.dtype)  # (groups, O', C', K)
    with torch.autocast(columns.device.type, enabled=False):
        return torch.einsum('nkgc,gock->ngo', columns, weight).reshape(-1, out_channels)


def _sample(inputs: DeformInputs, rows: slice, width: int, settings: DeformSettings) -> Tensor:
    """Return the features at every moved tap of some output pixels, (samples * pixels, K, C)."""
    batch, channels, *size = inputs.features.shape
    dtype, groups = working_dtype(inputs.features.dtype), settings.deform_groups
    kernel = (inputs.weight.shape[2], inputs.weight.shape[3])
    # (samples, pixels, G, K, 2): positions of the taps
    offset = inputs.offset.flatten(2)[:, :, rows].to(dtype).unflatten(1, (groups, -1, 2)).permute(0, 4, 1, 2, 3)
    position = offset + _taps(rows, width, kernel, settings, offset)[None, :, None]
    limit = position.new_tensor(size)
    inside = ((position > -1) & (position < limit)).all(dim=-1, keepdim=True)
    y, x = torch.where(inside, position, OUTSIDE).unbind(dim=-1)
    pixel, weight = bilinear(y, x, size[0], size[1])  # (samples, pixels, G, K, 4)
    if inputs.mask is not None:
        mask = inputs.mask.flatten(2)[:, :, rows].to(dtype).unflatten(1, (groups, -1)).permute(0, 3, 1, 2)
        weight = weight * mask[..., None]
    # One table row a pixel, sample and deform group: each group looks up its own channels.
    table = pixel_table(inputs.features.reshape(batch * groups, channels // groups, *size))
    plane = torch.arange(batch * groups, device=pixel.device).view(batch, 1, groups, 1, 1)
    pixel = pixel + plane * (size[0] * size[1])
    sampled = weighted_rows(table, pixel.flatten(0, 3), weight.flatten(0, 3))  # (samples*pixels*G*K, C/G)
    sampled = sampled.view(-1, groups, kernel[0] * kernel[1], channels // groups)
    return sampled.transpose(1, 2).flatten(2)


def _taps(rows: slice, width: int, kernel: tuple[int, int], settings: DeformSettings, like: Tensor) -> Tensor:
    """Return row and column of each tap of an ordinary convolution, (pixels, K, 2)."""
    pixel = torch.arange(rows.start, rows.stop, device=like.device)
    tap = torch.arange(kernel[0] * kernel[1], device=like.device)
    y = (pixel // width * settings.stride[0] - settings.padding[0])[:, None] + tap // kernel[1] * settings.dilation[0]
    x = (pixel % width * settings.stride[1] - settings.padding[1])[:, None] + tap % kernel[1] * settings.dilation[1]
    return torch.stack([y, x], dim=-1).to(like.dtype)


def deform_conv2d_reference(inputs: DeformInputs, settings: DeformSettings) -> Tensor:
    """Return what `deform_conv2d` returns, one tap after the other: the definition to read and to test against."""
    features, offset, weight, mask = inputs.features, inputs.offset, inputs.weight, inputs.mask
    batch, channels = features.shape[:2]
    out_channels, group_channels, kernel_height, kernel_width = weight.shape
    taps = kernel_height * kernel_width
    height, width = output_size(inputs, settings)
    columns = features.new_zeros(batch, channels, taps, height, width)
    for b, c, k, i, j in torch.cartesian_prod(*map(torch.arange, columns.shape)).tolist():
        tap = c // (channels // settings.deform_groups) * taps + k
        y = i * settings.stride[0] - settings.padding[0] + k // kernel_width * settings.dilation[0]
        x = j * settings.stride[1] - settings.padding[1] + k % kernel_width * settings.dilation[1]
        value = _bilinear_value(features[b, c], y + offset[b, 2 * tap, i, j], x + offset[b, 2 * tap + 1, i, j])
        columns[b, c, k, i, j] = value if mask is None else value * mask[b, tap, i, j]
    columns = columns.view(batch, settings.groups, group_channels, taps, height, width)
    kernels = weight.view(settings.groups, out_channels // settings.groups, group_channels, taps)
    return torch.einsum('bgckhw,gock->bgohw', columns, kernels).reshape(batch, out_channels, height, width)


def _bilinear_value(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return one bilinear sample of an image (H, W) with zeros around it."""
    height, width = image.shape
    value = image.new_zeros(())
    if not (-1 < y < height and -1 < x < width):
        return value
    top, left = int(y.floor()), int(x.floor())
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < height and 0 <= column < width:
                value = value + image[row, column] * (1 - (y - row).abs()) * (1 - (x - column).abs())
    return value
