"""Where classes meet in a label map, one mask a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, DataError, ShapeError

_PIXELS = 2**15  # edge pixels looked at together: 5 MB of marks at 150 classes


def edge_mask(
    labels: Tensor, classes: int, kernel: int = 7, ignore: int | None = 255, ignore_is_class: bool = False
) -> Tensor:
    """Return each class's edges: the dilated region of the class minus the eroded one.

    `E_c = dilate(1[y = c]) - erode(1[y = c])` with a square window. In other words: a pixel is an edge of class c where
    its window holds c and something else. The mask covers both sides of a border, for both classes. What lies outside
    the image is nothing: it is no class and makes no edge. Ignored pixels are in no mask.

    Args:
        labels: (N, H, W) or (H, W) whole numbers, 0..classes-1 or `ignore`.
        classes: K.
        kernel: side of the window, odd, pixels.
        ignore: the label of pixels without a class; None where there is none.
        ignore_is_class: whether an ignored neighbour counts as another class (as in published re-implementations).
            Otherwise it counts as nothing: padding and unlabelled areas make no edge.

    Returns:
        (N, K, H, W) or (K, H, W) float32, 0 or 1.

    Raises:
        ShapeError: labels have another number of axes.
        DataError: labels are no whole numbers, or out of range.
        ConfigError: classes or kernel make no sense.
    Cost: kernel² look-ups an edge pixel whatever the number of classes; memory of the answer.
    Source: BPKD, edge mask as in two public re-implementations.

    Example:
        >>> edge_mask(torch.tensor([[0, 0, 0, 1, 1, 1]]), 2, kernel=3)[1]
        tensor([[0., 0., 1., 1., 0., 0.]])
    """
    if labels.ndim == 2:
        return edge_mask(labels.unsqueeze(0), classes, kernel, ignore, ignore_is_class)[0]
    windows = Windows.of(labels, classes, kernel, ignore, ignore_is_class)
    batch, height, width = labels.shape
    mask = torch.zeros((batch, classes, height, width), device=labels.device)
    pixels = mask.flatten(2).transpose(1, 2)  # (N, H*W, K), a view
    for place, marks in windows.edges():
        pixels[place // (height * width), place % (height * width)] = marks.float()
    return mask


def pooled_edges(
    labels: Tensor,
    classes: int,
    size: tuple[int, int],
    kernel: int = 7,
    ignore: int | None = 255,
    ignore_is_class: bool = False,
) -> Tensor:
    """Return the mean of `edge_mask` in each cell of a coarser grid, without the fine mask in memory.

    A pixel belongs to the cell that holds its centre; where the sizes divide this is average pooling.

    Args:
        labels: (N, H, W), see `edge_mask`, as the following arguments.
        classes: K.
        size: h, w of the coarser grid.
        kernel: side of the window, pixels of the labels.
        ignore: label of pixels without a class.
        ignore_is_class: whether an ignored neighbour counts as another class.

    Returns:
        (N, K, h, w) float32 in [0, 1].

    Raises:
        ShapeError, DataError, ConfigError: as `edge_mask`, or the grid does not fit the labels.
    """
    windows = Windows.of(labels, classes, kernel, ignore, ignore_is_class)
    cells, counts = _cells(labels, size)
    batch, pixels, coarse = len(labels), labels.shape[1] * labels.shape[2], size[0] * size[1]
    sums = torch.zeros((batch * coarse, classes), device=labels.device)
    for place, marks in windows.edges():
        sums.index_add_(0, place // pixels * coarse + cells[place % pixels], marks.float())
    means = sums.reshape(batch, coarse, classes) / counts[:, None]
    return means.transpose(1, 2).reshape(batch, classes, *size)


def pooled_share(chosen: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the share of chosen pixels in each cell of a coarser grid, cells as in `pooled_edges`.

    Args:
        chosen: (N, H, W) bool.
        size: h, w.

    Returns:
        (N, 1, h, w) float32 in [0, 1].

    Raises:
        ShapeError: the grid does not fit the pixels.
    """
    cells, counts = _cells(chosen, size)
    sums = torch.zeros((len(chosen), size[0] * size[1]), device=chosen.device)
    sums.index_add_(1, cells, chosen.flatten(1).float())
    return (sums / counts).reshape(-1, 1, *size)


def nearest_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a label map (N, H, W) at a coarser size: the label of the pixel at each cell's centre.

    Raises:
        ShapeError: the size does not fit the labels.
    """
    check_fit(labels, size)
    rows, columns = (
        ((torch.arange(cells, device=labels.device) + 0.5) * pixels / cells).long()
        for cells, pixels in zip(size, labels.shape[-2:], strict=True)
    )
    return labels[:, rows][:, :, columns]


def check_kernel(kernel: int) -> None:
    """Raise unless a window's side is an odd number of pixels.

    Raises:
        ConfigError: it is even, no whole number, or below 1.
    """
    if isinstance(kernel, bool) or not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
        raise ConfigError(f'kernel: expected an odd number of pixels, got {kernel!r}')


def check_labels(labels: Tensor, classes: int, ignore: int | None) -> None:
    """Raise unless a label map holds whole numbers 0..classes-1, or the ignore label.

    Raises:
        ShapeError: not (N, H, W).
        DataError: another value; the message names it.
    """
    check_shape(labels, 'N H W', 'labels')
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f'labels: expected whole numbers, got {labels.dtype}; give class numbers, not scores or masks')
    wrong = (labels < 0) | (labels >= classes)
    if ignore is not None:
        wrong &= labels != ignore
    if wrong.any():
        values = labels[wrong].unique().tolist()
        raise DataError(
            f'labels: expected 0..{classes - 1} or {ignore} (ignored), got {", ".join(map(str, values[:8]))} in '
            f'{int(wrong.sum())} pixels; check the label map, `reduce_zero_label`, and the ignore label'
        )


def check_fit(labels: Tensor, size: tuple[int, int]) -> None:
    """Raise unless a coarser grid covers the same image as a label map (N, H, W).

    Raises:
        ShapeError: it is finer, empty, or of another shape by more than a cell.
    """
    height, width = labels.shape[-2:]
    skewed = abs(size[0] * width - size[1] * height) > max(height, width)
    if not 0 < size[0] <= height or not 0 < size[1] <= width or skewed:
        raise ShapeError(
            f'label maps of {height} x {width} pixels do not fit features of {size[0]} x {size[1]} cells; '
            'labels and features must cover the same image, the labels at least as fine'
        )


def _cells(labels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the cell of each pixel, (H*W,) int64, and the pixels in each cell, (h*w,) float32."""
    check_fit(labels, size)
    rows, columns = (
        ((torch.arange(pixels, device=labels.device) + 0.5) * cells / pixels).long()
        for cells, pixels in zip(size, labels.shape[-2:], strict=True)
    )
    cells = (rows[:, None] * size[1] + columns).flatten()
    return cells, cells.bincount(minlength=size[0] * size[1]).float()


@dataclass(frozen=True)
class Windows:
    """Label maps, ready for a look at the window around each pixel.

    Attributes:
        codes: (N, H+2p, W+2p) int64, 0..K-1, and K for what is no class: ignored pixels and the outside.
        mixed: (N, H, W) bool, labelled pixels whose window is not of one class.
        classes: K.
        kernel: side of the window, 2p+1.
    """

    codes: Tensor
    mixed: Tensor
    classes: int
    kernel: int

    @classmethod
    @torch.no_grad()
    def of(cls, labels: Tensor, classes: int, kernel: int, ignore: int | None, ignore_is_class: bool) -> Windows:
        """Check labels (N, H, W) and find the pixels worth a look."""
        check_kernel(kernel)
        if classes < 1:
            raise ConfigError(f'classes: expected at least 1, got {classes!r}')
        check_labels(labels, classes, ignore)
        labels = labels.long()
        known = torch.ones_like(labels, dtype=torch.bool) if ignore is None else labels != ignore
        codes = torch.where(known, labels, classes)
        counted = known | ignore_is_class  # what can differ from a neighbour
        high = _highest(torch.where(counted, codes, -1), kernel)
        low = -_highest(torch.where(counted, -codes, -classes - 1), kernel)
        codes = pad(codes, (kernel // 2,) * 4, value=classes)
        return cls(codes, (high > low) & known, classes, kernel)

    def edges(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield edge pixels in parts: their places (M,) in N*H*W, and the classes around them (M, K) bool."""
        height, width = self.mixed.shape[1:]
        line = self.codes.shape[2]
        flat = self.codes.flatten()
        for place in self.mixed.flatten().nonzero().flatten().split(_PIXELS):
            sample, y, x = place // (height * width), place // width % height, place % width
            corner = (sample * self.codes.shape[1] + y) * line + x
            marks = torch.zeros((len(place), self.classes + 1), dtype=torch.bool, device=place.device)
            for offset in range(self.kernel**2):
                code = flat[corner + (offset // self.kernel * line + offset % self.kernel)]
                marks.scatter_(1, code[:, None], True)
            yield place, marks[:, : self.classes]


def _highest(values: Tensor, kernel: int) -> Tensor:
    """Return the largest value (N, H, W) in the window around each pixel; the outside counts as nothing."""
    if not values.numel():
        return values.float()
    rows = max_pool2d(values.float().unsqueeze(1), (kernel, 1), stride=1, padding=(kernel // 2, 0))
    return max_pool2d(rows, (1, kernel), stride=1, padding=(0, kernel // 2)).squeeze(1)
