"""A memory of features, one queue a class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pointkd.distill.functional.cross_image import first_in_class
from pointkd.distill.functional.similarity import unit


class ClassMemory(nn.Module):
    """Keeps the latest features of each class at unit length; the oldest make room.

    Its buffers travel in checkpoints, so that a resumed run remembers.

    Args:
        classes: K.
        size: features a class.
        width: C.
    """

    features: Tensor
    written: Tensor

    def __init__(self, classes: int, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer('features', torch.zeros(classes, size, width))
        self.register_buffer('written', torch.zeros(classes, dtype=torch.int64))

    @property
    def filled(self) -> Tensor:
        """Features that each class holds, (K,) int64."""
        return self.written.clamp(max=self.features.shape[1])

    @torch.no_grad()
    def add(self, rows: Tensor, labels: Tensor, rank: Tensor) -> None:
        """Write features.

        Args:
            rows: (M, C).
            labels: (M,) int64, their classes.
            rank: (M,) int64, 0, 1, ... within each class, below the memory's size.
        """
        slots = (self.written[labels] + rank) % self.features.shape[1]
        self.features[labels, slots] = unit(rows.float(), 1).to(self.features.dtype)
        self.written += labels.bincount(minlength=len(self.written))

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return about so many features (M, C), equally many a class where it has them, each at most once.

        Args:
            count: divided among the classes, rounded up.
            generator: random source, on the CPU.
        """
        classes, size, _ = self.features.shape
        each = min(size, -(-count // classes))
        order = torch.rand((classes, size), generator=generator).to(self.features.device)
        order[torch.arange(size, device=order.device) >= self.filled[:, None]] = -1  # empty slots come last
        value, slots = order.topk(each, dim=1)
        label = torch.arange(classes, device=order.device)[:, None].expand_as(slots)
        chosen = value >= 0
        return self.features[label[chosen], slots[chosen]]


@torch.no_grad()
def remember_pixels(memory: ClassMemory, rows: Tensor, labels: Tensor, limit: int, generator: torch.Generator) -> None:
    """Put random pixels of one image into the memory.

    Args:
        memory: changed in place.
        rows: (P, C) features.
        labels: (P,) int64; labels that are no class of the memory are left out.
        limit: pixels of a class.
        generator: random source, on the CPU.
    """
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    limit = min(limit, memory.features.shape[1])
    chosen, label, rank = first_in_class(labels, len(memory.written), limit, order)
    memory.add(rows[chosen], label, rank)


@torch.no_grad()
def remember_regions(memory: ClassMemory, rows: Tensor, labels: Tensor) -> None:
    """Put the mean feature of each class of one image into the memory (arguments as `remember_pixels`)."""
    classes = len(memory.written)
    known = (labels >= 0) & (labels < classes)
    sums = rows.new_zeros((classes, rows.shape[1])).index_add_(0, labels[known], rows[known])
    present = labels[known].bincount(minlength=classes).nonzero().flatten()
    memory.add(sums[present], present, torch.zeros_like(present))  # unit length: a sum is as good as a mean
