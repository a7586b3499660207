"""The point-wise spatial attention mask of PSANet: from a mask relative to each position to one over the whole map.

Source: Zhao et al., PSANet: Point-wise Spatial Attention Network for Scene Parsing, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError

COLLECT, DISTRIBUTE = 'collect', 'distribute'


def psa_mask(mask: Tensor, kind: str, mask_size: tuple[int, int]) -> Tensor:
    """Return attention between all pairs of positions; gradients reach the mask.

    A mask channel says how much a position attends to the one at a certain shift from it; where that lies outside the
    map it is dropped, and positions that the mask does not reach get 0.

    Args:
        mask: (B, h*w, H, W) with h x w the mask's size, odd by custom.
        kind: `'collect'` puts the attended position on axis 1, `'distribute'` the attending one.
        mask_size: h and w.

    Returns:
        (B, H*W, H, W).

    Raises:
        ShapeError: the channels are not h*w.
        ConfigError: another kind.

    Cost: O((H*W)^2) time and memory, like the result.
    """
    if kind not in (COLLECT, DISTRIBUTE):
        raise ConfigError(f'psa_mask: expected kind {COLLECT!r} or {DISTRIBUTE!r}, got {kind!r}')
    sizes = check_shape(mask, f'B {mask_size[0] * mask_size[1]} H W', 'mask')
    height, width = sizes['H'], sizes['W']
    row, inside_row = _shift(height, mask_size[0], mask.device)  # (H attended, H attending)
    column, inside_column = _shift(width, mask_size[1], mask.device)
    area = height * width
    channel = (row[:, None, :, None] * mask_size[1] + column[None, :, None, :]).view(area, area)
    inside = (inside_row[:, None, :, None] & inside_column[None, :, None, :]).view(area, area)
    pairs = mask.flatten(2).gather(1, channel.expand(len(mask), -1, -1)) * inside  # (B, attended, attending)
    if kind == DISTRIBUTE:
        pairs = pairs.transpose(1, 2)
    return pairs.reshape(len(mask), area, height, width)


def _shift(length: int, mask_length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the mask's element for each (attended, attending) pair along one axis, and whether there is one."""
    place = torch.arange(length, device=device)
    element = place[:, None] - place[None, :] + (mask_length - 1) // 2
    return element.clamp(0, mask_length - 1), (element >= 0) & (element < mask_length)


def psa_mask_reference(mask: Tensor, kind: str, mask_size: tuple[int, int]) -> Tensor:
    """Return what `psa_mask` returns, one pair of positions after the other."""
    batch, _, height, width = mask.shape
    output = mask.new_zeros(batch, height * width, height, width)
    for y, x, row, column in torch.cartesian_prod(*map(torch.arange, (height, width, *mask_size))).tolist():
        other_y, other_x = y + row - (mask_size[0] - 1) // 2, x + column - (mask_size[1] - 1) // 2
        if 0 <= other_y < height and 0 <= other_x < width:
            value = mask[:, row * mask_size[1] + column, y, x]
            if kind == COLLECT:
                output[:, other_y * width + other_x, y, x] = value
            else:
                output[:, y * width + x, other_y, other_x] = value
    return output
