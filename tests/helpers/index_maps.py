"""Maps made of their indices, on which reference values are given."""

from __future__ import annotations

import torch
from torch import Tensor


def _map(factors: tuple[int, ...], modulus: int, scale: float, shape: tuple[int, ...]) -> Tensor:
    axes = torch.meshgrid(*[torch.arange(length) for length in shape], indexing='ij')
    total = sum(factor * axis for factor, axis in zip(factors, axes, strict=True))
    return (total % modulus).double() / scale - 1


def map_a(shape: tuple[int, ...] = (2, 3, 4, 5)) -> Tensor:
    """Return ((7n + 5c + 3h + 2w) mod 11)/4 - 1, float64."""
    return _map((7, 5, 3, 2), 11, 4, shape)


def map_b(shape: tuple[int, ...] = (2, 3, 4, 5)) -> Tensor:
    """Return ((3n + 4c + 2h + 5w) mod 7)/3 - 1, float64."""
    return _map((3, 4, 2, 5), 7, 3, shape)
