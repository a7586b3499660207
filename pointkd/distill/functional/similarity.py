"""Directions of feature vectors: unit length and cosines, safe where a vector is zero."""

from __future__ import annotations

from torch import Tensor
from torch.linalg import vector_norm

EPS = 1e-6  # vectors shorter than this lose their direction gradually, so that gradients stay finite


def unit(values: Tensor, dim: int) -> Tensor:
    """Return vectors along an axis at unit length; those shorter than `EPS` stay shorter, zero stays zero.

    Example:
        >>> import torch
        >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 1)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    return values / vector_norm(values, dim=dim, keepdim=True).clamp(min=EPS)


def cosine(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """Return the cosine between vectors along an axis, which goes away; 0 where one of them is zero."""
    return (unit(one, dim) * unit(other, dim)).sum(dim)
