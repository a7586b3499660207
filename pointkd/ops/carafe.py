"""CARAFE: upsampling by weighted sums of neighbourhoods, with weights that the network predicts for each output pixel.

Source: Wang et al., CARAFE: Content-Aware ReAssembly of FEatures, section 3.2.2, equation 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError
from pointkd.ops.sampling import pixel_table, weighted_rows


def carafe(features: Tensor, masks: Tensor, kernel_size: int, groups: int, scale: int) -> Tensor:
    """Return features reassembled at a higher resolution; gradients reach features and masks.

    Args:
        features: (B, C, H, W) float.
        masks: (B, groups * kernel_size^2, scale*H, scale*W), the weights of the neighbourhood of each output pixel.
        kernel_size: side of the neighbourhood, odd.
        groups: channel groups that have weights of their own.
        scale: output pixels along one side of an input pixel.

    Returns:
        (B, C, scale*H, scale*W), in the type of the features; pixels outside the map count as 0.

    Raises:
        ShapeError: masks don't fit the features, channels don't divide into the groups, or the kernel size is even.

    Cost: memory of the result and of one index a mask weight, never of the unfolded features.
    """
    batch, channels, height, width = _check(features, masks, kernel_size, groups, scale)
    # One table row a pixel, sample and group: each group looks up its own channels.
    table = pixel_table(features.reshape(batch * groups, channels // groups, height, width))
    neighbour, inside = _neighbourhood(height, width, kernel_size, scale, features.device)  # (h*w, k*k)
    plane = torch.arange(batch * groups, device=features.device)[:, None, None] * (height * width)
    weight = (
        masks.reshape(batch * groups, kernel_size**2, scale**2 * height * width).transpose(1, 2).to(table.dtype)
        * inside
    )
    rows = weighted_rows(table, (plane + neighbour).flatten(0, 1), weight.flatten(0, 1))  # (B*groups*h*w, C/groups)
    maps = rows.view(batch * groups, scale * height, scale * width, channels // groups).permute(0, 3, 1, 2)
    return maps.reshape(batch, channels, scale * height, scale * width).to(features.dtype)


def _check(features: Tensor, masks: Tensor, kernel_size: int, groups: int, scale: int) -> tuple[int, int, int, int]:
    sizes = check_shape(features, 'B C H W', 'features')
    batch, channels, height, width = sizes['B'], sizes['C'], sizes['H'], sizes['W']
    if channels % groups or kernel_size % 2 == 0:
        raise ShapeError(
            f'carafe: expected channels that divide into groups and an odd kernel, got {channels} channels, {groups} '
            f'groups, kernel {kernel_size}'
        )
    check_shape(masks, f'{batch} {groups * kernel_size**2} {scale * height} {scale * width}', 'masks')
    return batch, channels, height, width


def _neighbourhood(height: int, width: int, kernel: int, scale: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the input pixels around each output pixel, (scale*H*scale*W, k*k) int64, and which are on the map."""
    shift = torch.arange(kernel, device=device) - kernel // 2
    y = (torch.arange(scale * height, device=device) // scale)[:, None] + shift  # (h, k)
    x = (torch.arange(scale * width, device=device) // scale)[:, None] + shift
    inside = ((y >= 0) & (y < height))[:, None, :, None] & ((x >= 0) & (x < width))[None, :, None, :]
    pixel = y.clamp(0, height - 1)[:, None, :, None] * width + x.clamp(0, width - 1)[None, :, None, :]
    return pixel.reshape(-1, kernel**2), inside.reshape(-1, kernel**2)


def carafe_reference(features: Tensor, masks: Tensor, kernel_size: int, groups: int, scale: int) -> Tensor:
    """Return what `carafe` returns, one output pixel after the other."""
    batch, channels, height, width = features.shape
    output = features.new_zeros(batch, channels, scale * height, scale * width)
    for y, x, i, j in torch.cartesian_prod(
        torch.arange(scale * height), torch.arange(scale * width), torch.arange(kernel_size), torch.arange(kernel_size)
    ).tolist():
        row, column = y // scale + i - kernel_size // 2, x // scale + j - kernel_size // 2
        if 0 <= row < height and 0 <= column < width:
            for group in range(groups):
                chosen = slice(group * channels // groups, (group + 1) * channels // groups)
                factor = masks[:, group * kernel_size**2 + i * kernel_size + j, y, x]
                output[:, chosen, y, x] += features[:, chosen, row, column] * factor[:, None]
    return output
