"""Reductions over runs of rows: the points of one pillar lie one after another."""

from __future__ import annotations

import torch
from torch import Tensor


def run_index(lengths: Tensor) -> Tensor:
    """Return the run that each row belongs to.

    Args:
        lengths: (P,) int64, rows in each run, 0 allowed.

    Returns:
        (R,) int64 with R = sum of the lengths.

    Example:
        >>> run_index(torch.tensor([2, 0, 1])).tolist()
        [0, 0, 2]
    """
    return torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)


def run_max(rows: Tensor, lengths: Tensor) -> Tensor:
    """Return the largest value of each run, -inf for a run without rows; equal maxima share the gradient.

    Args:
        rows: (R, C).
        lengths: (P,) int64 with sum R.

    Returns:
        (P, C).
    """
    return torch.segment_reduce(rows, 'max', lengths=lengths, axis=0, unsafe=True)


def run_sum(rows: Tensor, lengths: Tensor) -> Tensor:
    """Return the sum of each run, 0 for a run without rows (arguments as in `run_max`)."""
    return torch.segment_reduce(rows, 'sum', lengths=lengths, axis=0, unsafe=True)
