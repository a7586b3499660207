"""Parts of mmseg's nets that torch would trace with the sizes of one image, in a form whose sizes stay free.

Modules are told by the names of their classes, so that nothing here imports an OpenMMLab package.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pointkd.export.support import is_a


class AveragePool(nn.Module):
    """Adaptive average pooling as two matrix products, which know the size of the map only when they run."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, values: Tensor) -> Tensor:
        """Return the means (N, C, *size) of a map (N, C, H, W)."""
        rows, columns = (pooling_matrix(values, axis, cells) for axis, cells in zip((2, 3), self.size, strict=True))
        return rows @ values @ columns.transpose(0, 1)


def pooling_matrix(values: Tensor, axis: int, cells: int) -> Tensor:
    """Return the weights (cells, L) that average an axis of length L, with torch's bounds of adaptive pooling."""
    length = values.shape[axis]
    place = torch.arange(length, device=values.device)
    cell = torch.arange(cells, device=values.device)
    first = torch.div(cell * length, cells, rounding_mode='floor')
    end = torch.div((cell + 1) * length + cells - 1, cells, rounding_mode='floor')
    inside = (place >= first[:, None]) & (place < end[:, None])
    return inside.to(values.dtype) / (end - first)[:, None].to(values.dtype)


class Upscale(nn.Module):
    """Interpolation by a factor, of which mmseg's `Upsample` makes a fixed size."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.factor, self.mode, self.align_corners = module.scale_factor, module.mode, module.align_corners

    def forward(self, values: Tensor) -> Tensor:
        """Return the larger map."""
        size = [torch.floor(torch.as_tensor(length) * self.factor).long() for length in values.shape[2:]]
        return functional.interpolate(values, size=size, mode=self.mode, align_corners=self.align_corners)


class Attention(nn.Module):
    """`nn.MultiheadAttention` with the same weights, written out."""

    def __init__(self, module: nn.MultiheadAttention) -> None:
        super().__init__()
        self.in_weight, self.in_bias, self.out = module.in_proj_weight, module.in_proj_bias, module.out_proj
        self.heads, self.width, self.batch_first = module.num_heads, module.head_dim, module.batch_first

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **unused: Any) -> tuple[Tensor, None]:
        """Return what attention gives (same axes as `query`), and no weights."""
        inputs = [query, key, value] if self.batch_first else [part.transpose(0, 1) for part in (query, key, value)]
        weights = self.in_weight.chunk(3)
        biases = self.in_bias.chunk(3) if self.in_bias is not None else (None, None, None)
        q, k, v = (
            functional.linear(part, weight, bias).unflatten(-1, (self.heads, self.width)).transpose(1, 2)
            for part, weight, bias in zip(inputs, weights, biases, strict=True)
        )  # (N, heads, L, width)
        scores = (q * self.width**-0.5) @ k.transpose(-2, -1)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(-2)
        output = self.out(mixed)
        return (output if self.batch_first else output.transpose(0, 1)), None


def interlaced_attention(self: Any, inputs: list[Tensor]) -> Tensor:
    """Return the scores of mmseg's `ISAHead`: its forward, with the padding to whole groups worked out when it runs."""
    residual = self.in_conv(self._transform_inputs(inputs))
    batch, channels, height, width = residual.shape
    rows, columns = self.down_factor
    across_rows, across_columns = (height + rows - 1) // rows, (width + columns - 1) // columns
    values, top = _padded(residual, 2, across_rows * rows - height)
    values, left = _padded(values, 3, across_columns * columns - width)
    values = values.reshape(batch, channels, across_rows, rows, across_columns, columns)
    values = values.permute(0, 3, 5, 1, 2, 4).reshape(-1, channels, across_rows, across_columns)
    values = self.global_relation(values).reshape(batch, rows, columns, channels, across_rows, across_columns)
    values = values.permute(0, 4, 5, 3, 1, 2).reshape(-1, channels, rows, columns)
    values = self.local_relation(values).reshape(batch, across_rows, across_columns, channels, rows, columns)
    values = values.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, across_rows * rows, across_columns * columns)
    values = values[:, :, top : top + height, left : left + width]
    return self.cls_seg(self.out_conv(torch.cat([values, residual], dim=1)))


def _padded(values: Tensor, axis: int, missing: Any) -> tuple[Tensor, Any]:
    """Return a map with zeros at both ends of an axis, and how many stand before it."""
    shape = list(values.shape)
    before = missing // 2
    zeros = [values.new_zeros([*shape[:axis], count, *shape[axis + 1 :]]) for count in (before, missing - before)]
    return torch.cat([zeros[0], values, zeros[1]], dim=axis), before


def _pool(module: nn.Module) -> nn.Module:
    """Return a pooling whose size is free; a mean over everything is an operator of its own and stays."""
    size = module.output_size
    rows, columns = size if isinstance(size, tuple) else (size, size)
    return module if (rows, columns) == (1, 1) or None in (rows, columns) else AveragePool((int(rows), int(columns)))


def _upscale(module: nn.Module) -> nn.Module:
    """Return an interpolation whose size is free; one to a fixed size stays."""
    return Upscale(module) if module.scale_factor is not None and not module.size else module


def _attention(module: nn.Module) -> nn.Module:
    """Return attention whose lengths are free."""
    assert isinstance(module, nn.MultiheadAttention)  # told by its name
    return Attention(module) if module.in_proj_weight is not None and module.bias_k is None else module


REPLACEMENTS: dict[str, Callable[[nn.Module], nn.Module]] = {
    'AdaptiveAvgPool2d': _pool,
    'Upsample': _upscale,
    'MultiheadAttention': _attention,
}


def make_traceable(network: nn.Module) -> nn.Module:
    """Replace, in place, what would be traced with the sizes of one image.

    Args:
        network: a copy of a trained net, in evaluation mode.

    Returns:
        The network; its outputs differ by rounding only.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            kind = 'MultiheadAttention' if isinstance(child, nn.MultiheadAttention) else type(child).__name__
            if kind == 'MultiheadAttention' and not isinstance(child, nn.MultiheadAttention):
                continue  # mmcv's wrapper around torch's
            if kind in REPLACEMENTS:
                setattr(parent, name, REPLACEMENTS[kind](child))
        if is_a(parent, 'ISAHead'):
            vars(parent)['forward'] = types.MethodType(interlaced_attention, parent)
    return network
