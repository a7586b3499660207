"""RoIAlign: average or maximum of bilinear samples on a regular grid in each bin of a box.

Source: He et al., Mask R-CNN, section 3; behaviour of mmcv's compiled op but for one degenerate case: a bin without
a sample gives 0 in both modes, where mmcv's maximum gives -10000.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, DataError
from pointkd.ops.sampling import bag_maximum, bags, bilinear, pixel_table, spans, weighted_rows, working_dtype

SAMPLES_AT_ONCE = 2**20
VALUES_AT_ONCE = 2**24  # samples times channels, which only a maximum has to hold
OUTSIDE = -2.0  # a coordinate at which every neighbouring pixel lies outside the map


class InvertedBoxError(DataError, RuntimeError):
    """A box ends before it begins (a RuntimeError too, which is what mmcv's compiled op raises)."""


@dataclass(frozen=True)
class AlignSettings:
    """How boxes are cut into bins and bins into samples.

    Attributes:
        output_size: bins along the height and the width of a box.
        spatial_scale: pixels of the map in one unit of the boxes.
        sampling_ratio: samples a bin along each axis; 0 takes one a pixel.
        mode: `'avg'` or `'max'` over the samples of a bin.
        aligned: True puts the centre of the first pixel at 0.5 and asks for boxes that don't end before they begin;
            False (the older convention) puts it at 0 and widens boxes to at least one pixel.
    """

    output_size: tuple[int, int]
    spatial_scale: float = 1.0
    sampling_ratio: int = 0
    mode: str = 'avg'
    aligned: bool = True

    def __post_init__(self) -> None:
        if self.mode not in ('avg', 'max'):
            raise ConfigError(f"roi_align: expected mode 'avg' or 'max', got {self.mode!r}")


def roi_align(features: Tensor, boxes: Tensor, settings: AlignSettings) -> Tensor:
    """Return the features of each box on a grid of bins; gradients reach the features.

    Args:
        features: (B, C, H, W) float.
        boxes: (K, 5) image number, x1, y1, x2, y2.
        settings: bins, samples and conventions.

    Returns:
        (K, C, height, width of the grid), in the type of the features.

    Raises:
        ShapeError: boxes have another width than 5, features another number of axes than 4.
        InvertedBoxError: with `aligned`, a box ends before it begins.

    Cost: memory of the result and of about a million sample positions, however many boxes there are.
    """
    return roi_align_with_argmax(features, boxes, settings)[0]


def roi_align_with_argmax(features: Tensor, boxes: Tensor, settings: AlignSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Return `roi_align` and, in mode `'max'`, the row and column at which each maximum was sampled (else empty)."""
    sizes = check_shape(features, 'B C H W', 'features')
    check_shape(boxes, 'K 5', 'boxes')
    _check_order(boxes, settings)
    table = pixel_table(features)
    grid = _grid(boxes.to(table.dtype), settings)
    budget = SAMPLES_AT_ONCE
    if settings.mode == 'max':
        budget = min(budget, VALUES_AT_ONCE // max(1, sizes['C']))
    pieces = [
        _align(table, grid[:, piece], (sizes['H'], sizes['W']), settings)
        for piece in spans(_samples(grid, settings), budget)
    ]
    if not pieces:
        empty = table[:0].sum(dim=0)[None, :, None, None].expand(0, -1, *settings.output_size)
        pieces = [(empty, empty, empty)]
    output, y, x = (torch.cat(part) for part in zip(*pieces, strict=True))
    return output.to(features.dtype), y, x


def roi_align_from_argmax(grad: Tensor, boxes: Tensor, y: Tensor, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the gradient of `roi_align` in mode `'max'` with respect to the features.

    Args:
        grad: (K, C, h, w) gradient of the output.
        boxes: (K, 5) image number, x1, y1, x2, y2.
        y: (K, C, h, w) sampled row of each maximum, from `roi_align_with_argmax`.
        x: (K, C, h, w) sampled column.
        shape: (B, C, H, W) of the features.
    """
    batch, channels, height, width = shape
    dtype = working_dtype(grad.dtype)
    pixel, weight = bilinear(y.to(dtype), x.to(dtype), height, width)  # (K, C, h, w, 4)
    image = boxes[:, 0].long()[:, None] * channels + torch.arange(channels, device=boxes.device)  # (K, C)
    pixel = pixel + (image * height * width)[:, :, None, None, None]
    flat = torch.zeros(batch * channels * height * width, dtype=dtype, device=grad.device)
    flat.index_add_(0, pixel.flatten(), (weight * grad[..., None].to(dtype)).flatten())
    return flat.view(batch, channels, height, width).to(grad.dtype)


def _check_order(boxes: Tensor, settings: AlignSettings) -> None:
    if not settings.aligned:
        return
    inverted = ((boxes[:, 3] < boxes[:, 1]) | (boxes[:, 4] < boxes[:, 2])).nonzero()
    if len(inverted):
        row = int(inverted[0])
        raise InvertedBoxError(
            f'roi_align: expected x1 <= x2 and y1 <= y2 with aligned=True, got {boxes[row, 1:].tolist()} in box {row} '
            f'({len(inverted)} of {len(boxes)} boxes): clip or drop such boxes, or use aligned=False'
        )


def _grid(boxes: Tensor, settings: AlignSettings) -> Tensor:
    """Return (7, K): image, first row and column, height and width of a bin, samples along the height and the width."""
    image, x1, y1, x2, y2 = boxes.unbind(dim=1)
    shift = 0.5 if settings.aligned else 0.0
    rows = []
    for begin, end, bins in ((y1, y2, settings.output_size[0]), (x1, x2, settings.output_size[1])):
        first = begin * settings.spatial_scale - shift
        length = end * settings.spatial_scale - shift - first
        if not settings.aligned:
            length = length.clamp(min=1)
        step = length / bins
        count = step.ceil() if settings.sampling_ratio <= 0 else torch.full_like(step, settings.sampling_ratio)
        rows.append((first, step, count))
    (top, bin_height, down), (left, bin_width, across) = rows
    return torch.stack([image, top, left, bin_height, bin_width, down, across])


def _samples(grid: Tensor, settings: AlignSettings) -> list[int]:
    bins = math.prod(settings.output_size)
    return (grid[5] * grid[6] * bins).long().tolist()


def _align(
    table: Tensor, grid: Tensor, size: tuple[int, int], settings: AlignSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs and, in mode `'max'`, sampled rows and columns for some of the boxes, each (K, C, h, w)."""
    box, y, x, start = _sample_points(grid, size, settings)
    pixel, weight = bilinear(y, x, *size)  # (T, 4)
    pixel = pixel + (grid[0, box].long() * math.prod(size))[:, None]
    if settings.mode == 'avg':
        weight = weight / (grid[5] * grid[6])[box, None]
        return _as_maps(weighted_rows(table, pixel.flatten(), weight.flatten(), start * 4), settings), y[:0], x[:0]
    values = weighted_rows(table, pixel, weight)  # (T, C)
    maximum, sample = bag_maximum(values, torch.arange(len(values), device=values.device), start)
    # Sample -1 of an empty bin is the last one of these lists.
    sampled_y, sampled_x = (torch.cat([part, part.new_tensor([OUTSIDE])])[sample] for part in (y, x))
    return _as_maps(maximum, settings), _as_maps(sampled_y, settings), _as_maps(sampled_x, settings)


def _sample_points(
    grid: Tensor, size: tuple[int, int], settings: AlignSettings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return box, row and column of each sample (T) in order of boxes and bins, and where each bin begins."""
    bins = math.prod(settings.output_size)
    bag, place, start = bags((grid[5] * grid[6]).long().repeat_interleave(bins))
    box, cell = bag // bins, bag % bins
    _, top, left, bin_height, bin_width, down, across = grid[:, box]
    row, column = cell // settings.output_size[1], cell % settings.output_size[1]
    y = top + row * bin_height + (place // across.long() + 0.5) * bin_height / down
    x = left + column * bin_width + (place % across.long() + 0.5) * bin_width / across
    return (box, *_onto_map(y, x, *size), start)


def _onto_map(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Pull points up to one pixel beyond the border onto it, and send the others where every pixel is outside."""
    outside = (y < -1) | (y > height) | (x < -1) | (x > width)
    y = torch.where(outside, OUTSIDE, y.clamp(0, height - 1))
    return y, torch.where(outside, OUTSIDE, x.clamp(0, width - 1))


def _as_maps(rows: Tensor, settings: AlignSettings) -> Tensor:
    height, width = settings.output_size
    return rows.view(-1, height * width, rows.shape[1]).transpose(1, 2).reshape(-1, rows.shape[1], height, width)


def roi_align_reference(features: Tensor, boxes: Tensor, settings: AlignSettings) -> Tensor:
    """Return what `roi_align` returns, one sample after the other: the definition to read and to test against."""
    height, width = settings.output_size
    output = features.new_zeros(len(boxes), features.shape[1], height, width)
    for number, column in enumerate(_grid(boxes, settings).T):
        image, top, left, bin_height, bin_width, down, across = column.tolist()
        for row in range(height):
            for cell in range(width):
                samples = [
                    _sample(
                        features[int(image)],
                        top + (row + (i + 0.5) / down) * bin_height,
                        left + (cell + (j + 0.5) / across) * bin_width,
                    )
                    for i in range(int(down))
                    for j in range(int(across))
                ]
                if samples:
                    values = torch.stack(samples)
                    output[number, :, row, cell] = values.mean(0) if settings.mode == 'avg' else values.max(0).values
    return output


def _sample(image: Tensor, y: float, x: float) -> Tensor:
    """Return one bilinear sample (C) of an image (C, H, W)."""
    _, height, width = image.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return image.new_zeros(len(image))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = image[:, top, left] * (1 - dx) + image[:, top, right] * dx
    lower = image[:, bottom, left] * (1 - dx) + image[:, bottom, right] * dx
    return upper * (1 - dy) + lower * dy
