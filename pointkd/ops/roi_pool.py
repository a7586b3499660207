"""RoI pooling: the maximum of the pixels in each bin of a box.

Source: Girshick, Fast R-CNN, section 2.1; behaviour of mmcv's op: the end of a box is inclusive, bins have whole pixels
and may overlap, a bin outside the map and every bin of an inverted box give 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.ops.sampling import bag_maximum, bags, pixel_table, spans, working_dtype

PIXELS_AT_ONCE = 2**22


def roi_pool(features: Tensor, boxes: Tensor, output_size: tuple[int, int], spatial_scale: float = 1.0) -> Tensor:
    """Return the largest feature in each bin of each box; gradients reach the features.

    Args:
        features: (B, C, H, W) float.
        boxes: (K, 5) image number, x1, y1, x2, y2; the ends belong to the box.
        output_size: bins along the height and the width of a box.
        spatial_scale: pixels of the map in one unit of the boxes.

    Returns:
        (K, C, height, width of the grid), in the type of the features.

    Raises:
        ShapeError: boxes have another width than 5, features another number of axes than 4.
    """
    return roi_pool_with_argmax(features, boxes, output_size, spatial_scale)[0]


def roi_pool_with_argmax(
    features: Tensor, boxes: Tensor, output_size: tuple[int, int], spatial_scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return `roi_pool` and the row-major pixel of each maximum, (K, C, h, w) int64, -1 where a bin is empty."""
    sizes = check_shape(features, 'B C H W', 'features')
    check_shape(boxes, 'K 5', 'boxes')
    table = pixel_table(features)
    corners = _bins(boxes.to(table.dtype), output_size, spatial_scale, (sizes['H'], sizes['W']))  # (K, bins, 4)
    area = (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
    pieces = [(table[:0], torch.zeros_like(table[:0], dtype=torch.int64))]
    for piece in spans(area.sum(dim=1).tolist(), PIXELS_AT_ONCE):
        first = boxes[piece, 0].long() * sizes['H'] * sizes['W']
        pixel, start = _pixels(corners[piece].flatten(0, 1), area[piece].flatten(), sizes['W'])
        offset = first.repeat_interleave(area[piece].sum(dim=1))
        maximum, row = bag_maximum(table, pixel + offset, start)
        row = torch.where(row < 0, row, row - first.repeat_interleave(math.prod(output_size))[:, None])
        pieces.append((maximum, row))
    maximum, row = (torch.cat(part) for part in zip(*pieces, strict=True))
    shape = (len(boxes), math.prod(output_size), sizes['C'])
    output, argmax = (part.view(shape).transpose(1, 2).unflatten(2, output_size) for part in (maximum, row))
    return output.to(features.dtype), argmax


def roi_pool_from_argmax(grad: Tensor, boxes: Tensor, argmax: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the gradient of `roi_pool` with respect to the features.

    Args:
        grad: (K, C, h, w) gradient of the output.
        boxes: (K, 5) image number, x1, y1, x2, y2.
        argmax: (K, C, h, w) int pixel of each maximum, from `roi_pool_with_argmax`.
        shape: (B, C, H, W) of the features.
    """
    batch, channels, height, width = shape
    plane = boxes[:, 0].long()[:, None] * channels + torch.arange(channels, device=boxes.device)  # (K, C)
    index = (plane * height * width)[:, :, None, None] + argmax
    found = argmax >= 0
    flat = torch.zeros(batch * channels * height * width, dtype=working_dtype(grad.dtype), device=grad.device)
    flat.index_add_(0, index[found], grad[found].to(flat.dtype))
    return flat.view(batch, channels, height, width).to(grad.dtype)


def _bins(boxes: Tensor, output_size: tuple[int, int], scale: float, size: tuple[int, int]) -> Tensor:
    """Return (K, bins, 4) int64: first row and column of each bin, and the ones behind its last."""
    begin = boxes[:, [2, 1]] * scale  # (K, 2) y, x
    length = (boxes[:, [4, 3]] + 1) * scale - begin
    inverted = (length <= 0).any(dim=1)
    edges = []
    for axis, (bins, limit) in enumerate(zip(output_size, size, strict=True)):
        step = (length[:, axis] / bins)[:, None]
        number = torch.arange(bins, device=boxes.device, dtype=boxes.dtype)
        low = (number * step + begin[:, axis, None]).floor().clamp(0, limit)
        high = ((number + 1) * step + begin[:, axis, None]).ceil().clamp(0, limit)
        edges.append((low, torch.where(inverted[:, None], low, torch.maximum(low, high))))
    (top, bottom), (left, right) = edges
    rows, columns = output_size
    corners = [
        top.repeat_interleave(columns, dim=1),
        left.repeat(1, rows),
        bottom.repeat_interleave(columns, dim=1),
        right.repeat(1, rows),
    ]
    return torch.stack(corners, dim=-1).long()


def _pixels(corners: Tensor, area: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the row-major pixels of every bin one after the other, and where each bin begins."""
    bag, place, start = bags(area)
    top, left, _, right = corners[bag].unbind(dim=1)
    across = right - left
    return (top + place // across) * width + left + place % across, start


def roi_pool_reference(
    features: Tensor, boxes: Tensor, output_size: tuple[int, int], spatial_scale: float = 1.0
) -> Tensor:
    """Return what `roi_pool` returns, one bin after the other: the definition to read and to test against."""
    _, channels, height, width = features.shape
    output = features.new_zeros(len(boxes), channels, *output_size)
    for number, (image, x1, y1, x2, y2) in enumerate(boxes.tolist()):
        y1, x1, y2, x2 = y1 * spatial_scale, x1 * spatial_scale, (y2 + 1) * spatial_scale, (x2 + 1) * spatial_scale
        if y2 <= y1 or x2 <= x1:
            continue
        step_y, step_x = (y2 - y1) / output_size[0], (x2 - x1) / output_size[1]
        for row in range(output_size[0]):
            for column in range(output_size[1]):
                top, bottom = max(math.floor(row * step_y + y1), 0), min(math.ceil((row + 1) * step_y + y1), height)
                left, right = (
                    max(math.floor(column * step_x + x1), 0),
                    min(math.ceil((column + 1) * step_x + x1), width),
                )
                if top < bottom and left < right:
                    window = features[int(image), :, top:bottom, left:right].flatten(1)
                    output[number, :, row, column] = window.max(dim=1).values
    return output
