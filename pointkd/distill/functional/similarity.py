"""Directions of feature vectors: unit length and cosines, safe where a vector is zero."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.linalg import vector_norm

EPS = 1e-6  # vectors shorter than this have no direction: the gradient of one grows with 1 / length


def unit(values: Tensor, dim: int) -> Tensor:
    """Return vectors along an axis at unit length; those shorter than `EPS` become zero, without a gradient.

    Example:
        >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 1)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    length = vector_norm(values, dim=dim, keepdim=True)
    return torch.where(length > EPS, values / length.clamp(min=EPS), 0)


def cosine(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """Return the cosine between vectors along an axis, which goes away; 0 where one of them is zero."""
    return (unit(one, dim) * unit(other, dim)).sum(dim)
