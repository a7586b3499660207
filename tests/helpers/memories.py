"""One process of a distributed run that fills a memory of features (importable, as spawned processes need it)."""

from __future__ import annotations

import os

import torch

from helpers.features import bird_map, label_samples
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.cross_image import CrossImage


def fill(rank: int = 0, ranks: int = 1) -> dict[str, torch.Tensor]:
    """Return the memories after two steps over a batch of 4, of which each process sees its part."""
    method = CrossImage(widths=Widths(4, 4), classes=3, pixel_memory=9, region_memory=4, pixels_per_image=3)
    part = slice(4 // ranks * rank, 4 // ranks * (rank + 1))
    for step in range(2):
        student, teacher = (bird_map(4, 10 * step + side, batch=4) for side in range(2))
        context = Context(iteration=step, data_samples=label_samples(3, batch=4)[part])
        method(student.with_values(student.values[part]), teacher.with_values(teacher.values[part]), context)
    return method.state_dict()


def fill_as(rank: int, port: int, out: str) -> None:
    """One rank of two; each writes what it remembers."""
    os.environ.update(RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo')
    torch.save(fill(rank, 2), f'{out}{rank}')
    torch.distributed.destroy_process_group()
