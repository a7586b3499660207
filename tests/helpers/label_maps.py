"""A small label map and class scores on which reference values are given."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = (
    '0 0 0 0 0 0 0   0',
    '0 0 0 1 1 0 0   0',
    '0 0 0 1 1 0 0 255',
    '0 0 0 1 1 2 2 255',
    '0 0 0 0 2 2 2   2',
    '0 0 0 0 2 2 2   2',
)


def labels_6x8() -> Tensor:
    """Return the labels (6, 8) int64, classes 0..2 and 255."""
    return torch.tensor([[int(value) for value in row.split()] for row in ROWS])


def scores_3x4() -> tuple[Tensor, Tensor]:
    """Return class scores (1, 3, 3, 4) float64, the student's ((5c+2y+3x) mod 7)/2 - 1, the teacher's likewise."""
    c, y, x = torch.meshgrid(*(torch.arange(length) for length in (3, 3, 4)), indexing='ij')
    student = ((5 * c + 2 * y + 3 * x) % 7).double() / 2 - 1
    teacher = ((7 * c + 3 * y + 5 * x) % 11).double() / 2 - 2
    return student[None], teacher[None]
