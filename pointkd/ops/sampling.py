"""Weighted sums of table rows, the one primitive behind RoI pooling, deformable convolution and CARAFE.

A feature map becomes a table of pixels (rows) and channels. An output position is then a *bag*: a few row numbers with
a weight each. torch's `embedding_bag` sums or maximises bags on any device without storing the gathered rows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FULL_PRECISION = (torch.float32, torch.float64)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type to compute in: half types are widened to float32."""
    return dtype if dtype in FULL_PRECISION else torch.float32


def pixel_table(features: Tensor) -> Tensor:
    """Return a feature map as one row a pixel.

    Args:
        features: (B, C, H, W) float.

    Returns:
        (B*H*W, C) in working precision.
    """
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    return rows.to(working_dtype(features.dtype))


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
    """Return a weighted sum of table rows for each bag; gradients reach the table and the weights.

    Args:
        table: (R, C) float32 or float64.
        index: (N, S) int64 row numbers, S a bag; or (T,) with `start`.
        weight: like `index`, in the table's type.
        start: (N,) int64, where each bag of a flat `index` begins; None where all bags have S rows.

    Returns:
        (N, C); zeros for an empty bag.

    Cost: memory of the result alone, however many rows a bag has.
    """
    if index.numel() == 0:
        count = len(index) if start is None else len(start)
        return table[:0].sum(dim=0).expand(count, -1) + weight.sum()
    return F.embedding_bag(index, table, start, mode='sum', per_sample_weights=weight)


def bag_maximum(table: Tensor, index: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return each channel's maximum over the rows of each bag, and the first row that attains it.

    Args:
        table: (R, C) float32 or float64.
        index: (T,) int64 row numbers.
        start: (N,) int64, where each bag begins; the last one ends at T.

    Returns:
        maximum: (N, C); 0 for an empty bag.
        row: (N, C) int64 row of the table; -1 for an empty bag.
    """
    if index.numel() == 0:
        empty = table[:0].sum(dim=0).expand(len(start), -1)
        return empty, torch.full(empty.shape, -1, dtype=torch.int64, device=table.device)
    maximum, _, _, row = torch.embedding_bag(table, index, start, mode=2)
    size = torch.diff(start, append=start.new_tensor([len(index)]))
    return maximum, torch.where(size[:, None] > 0, row, -1)


def bags(size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lay out bags of different sizes one after the other.

    Args:
        size: (N,) int64, entries of each bag.

    Returns:
        bag: (T,) int64, the bag of each entry.
        place: (T,) int64, the number of each entry within its bag.
        start: (N,) int64, where each bag begins.

    Example:
        >>> [part.tolist() for part in bags(torch.tensor([2, 0, 1]))]
        [[0, 0, 2], [0, 1, 0], [0, 2, 2]]
    """
    start = size.cumsum(0) - size
    bag = torch.repeat_interleave(torch.arange(len(size), device=size.device), size)
    return bag, torch.arange(len(bag), device=size.device) - start[bag], start


def bilinear(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the four pixels around each point and their bilinear weights; pixels outside the map weigh nothing.

    Args:
        y: (...) row coordinate, the centre of the first pixel is 0; gradients reach it through the weights.
        x: (...) column coordinate.
        height: rows of the map.
        width: columns of the map.

    Returns:
        pixel: (..., 4) int64, row-major pixel number.
        weight: (..., 4) in the type of y.
    """
    rows, weight_y = _neighbours(y, height)
    columns, weight_x = _neighbours(x, width)
    pixel = rows[..., :, None] * width + columns[..., None, :]
    weight = weight_y[..., :, None] * weight_x[..., None, :]
    return pixel.flatten(-2), weight.flatten(-2)


def _neighbours(position: Tensor, length: int) -> tuple[Tensor, Tensor]:
    low = position.detach().floor()
    upper = position - low
    number = torch.stack([low, low + 1], dim=-1).long()
    weight = torch.stack([1 - upper, upper], dim=-1) * ((number >= 0) & (number < length))
    return number.clamp(0, max(length - 1, 0)), weight


def spans(sizes: list[int], budget: int) -> list[slice]:
    """Cut a list into consecutive pieces whose sizes add up to at most the budget, or hold one entry.

    Example:
        >>> spans([3, 3, 9, 1], budget=6)
        [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    pieces, begin, total = [], 0, 0
    for place, size in enumerate(sizes):
        if place > begin and total + size > budget:
            pieces.append(slice(begin, place))
            begin, total = place, 0
        total += size
    if begin < len(sizes):
        pieces.append(slice(begin, len(sizes)))
    return pieces
