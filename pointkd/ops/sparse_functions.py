"""What spconv's functions lack: a true maximum on the CPU, and outputs where there is nothing to compute from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def no_pairs(indices: Tensor, kernel_volume: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the neighbour table of a tensor without voxels.

    Args:
        indices: (0, 1 + dimensions) int32.
        kernel_volume: taps of the kernel.

    Returns:
        Output sites (0, 1 + dimensions), input and output row of each pair (2, taps, 0), pairs of each tap (taps), all
        int32.
    """
    pairs = indices.new_full((2, kernel_volume, 0), -1)
    return indices[:0], pairs, indices.new_zeros(kernel_volume)


def no_contributions(rows: int, channels: int, *inputs: Tensor) -> Tensor:
    """Return zeros (rows, channels) that give every input a gradient of zeros."""
    nothing = torch.stack([tensor[:0].sum() for tensor in inputs]).sum()
    return nothing + inputs[0].new_zeros(rows, channels)


class MaxPool(torch.autograd.Function):
    """Maximum over the active sites under each output site.

    spconv's CPU kernel starts from 0 and so returns max(0, x); its gradient, which every site that attains the maximum
    gets in full, is right once the maximum is, and the same as on CUDA.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, pairs: Tensor, pair_count: Tensor, out_rows: int) -> Tensor:
        """Return (out_rows, C) from features (N, C) and the neighbour table of `no_pairs`."""
        output = features.new_full((out_rows, features.shape[1]), -torch.inf)
        for (sources, targets), count in zip(pairs.transpose(0, 1).long(), pair_count.tolist(), strict=True):
            target = targets[:count]  # each output at most once a tap
            output[target] = torch.maximum(output[target], features[sources[:count]])
        ctx.save_for_backward(pairs, pair_count, features, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        """Return the gradient of the features."""
        from spconv.pytorch import ops

        pairs, pair_count, features, output = ctx.saved_tensors
        grad = ops.indice_maxpool_backward(features, output, grad_output, pairs, pair_count)
        return grad, None, None, None


def max_pool_reference(features: Tensor, sources: Tensor, targets: Tensor, out_rows: int) -> Tensor:
    """Return the maximum over all (source, target) pairs of a target, one target after the other.

    Args:
        features: (N, C).
        sources: (P,) int64 input row of each pair.
        targets: (P,) int64 output row of each pair.
        out_rows: rows of the output; each has a pair.
    """
    return torch.stack([features[sources[targets == row]].max(dim=0).values for row in range(out_rows)])
