"""Made-up features of every kind, and what can be done to them without changing what they say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import torch
from mmengine.structures import PixelData
from torch import Tensor

from pointkd.distill.features import Distributions, Feature, Grid, Logits, Map, Points, Voxels

GRID = Grid((0.0, -4.0, -3.0), (0.5, 0.5, 4.0))
SIZES = (9, 0, 6)  # voxels of each sample: one has none
HEIGHT, WIDTH = 4, 5


def values(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal numbers in float64."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def voxels(width: int, seed: int, sizes: tuple[int, ...] = SIZES) -> Voxels:
    """Return voxels at the same places for every seed, with counts that tie."""
    generator = torch.Generator().manual_seed(99)
    coords = []
    for sample, size in enumerate(sizes):
        cells = torch.randperm(8 * 8, generator=generator)[:size]
        coords.append(torch.stack([cells * 0 + sample, cells * 0, cells // 8, cells % 8], dim=1))
    counts = torch.randint(1, 5, (sum(sizes),), generator=generator)
    return Voxels(values((sum(sizes), width), seed), torch.cat(coords), len(sizes), GRID, counts)


def bird_map(width: int, seed: int, batch: int = 3) -> Map:
    """Return a map with a grid."""
    return Map(values((batch, width, HEIGHT, WIDTH), seed), GRID)


def points(width: int, seed: int, batch: int = 3, count: int = 11) -> Points:
    """Return points at the same places for every seed."""
    return Points(values((batch, count, width), seed), values((batch, count, 3), 98) * 10)


def anchor_logits(width: int, seed: int, batch: int = 3) -> Logits:
    """Return sigmoid scores of a dense head with 2 anchors a cell."""
    return Logits(values((batch, 2 * width, HEIGHT, WIDTH), seed), width, 'sigmoid', GRID)


def row_logits(width: int, seed: int) -> Logits:
    """Return softmax scores of 7 regions."""
    return Logits(values((7, width), seed), width)


def box_sides(width: int, seed: int, batch: int = 3) -> Distributions:
    """Return the box sides of `width` bins of a head with two levels (5 x 4 cells of 8 pixels, 3 x 2 of 16)."""
    centres, strides = [], []
    for stride, (rows, columns) in ((8.0, (4, 5)), (16.0, (2, 3))):
        cells = torch.cartesian_prod(torch.arange(columns), torch.arange(rows)).double()
        centres.append((cells + 0.5) * stride)
        strides.append(torch.full((len(cells),), stride, dtype=torch.float64))
    count = sum(len(entry) for entry in centres)
    scores = values((batch, count, 2), seed + 100)
    return Distributions(values((batch, count, 4 * width), seed), scores, torch.cat(centres), torch.cat(strides))


def annotations(scale: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> list[SimpleNamespace]:
    """Return data samples with two, no and one box; on a map of 5 x 4 cells of the size `scale`."""
    lists = ([[0.2, 0.3, 2.4, 2.1], [1.5, 1.0, 4.9, 3.8]], [], [[2.0, 0.5, 3.0, 3.5]])
    shift = torch.tensor([*origin, *origin])
    boxes = [torch.tensor(entry).reshape(-1, 4) * scale + shift for entry in lists]
    return [SimpleNamespace(gt_instances=SimpleNamespace(bboxes=entry)) for entry in boxes]


def pixel_logits(width: int, seed: int, batch: int = 3) -> Logits:
    """Return softmax scores of the pixels of a segmentor."""
    return Logits(values((batch, width, HEIGHT, WIDTH), seed), width)


def label_samples(classes: int, flip: bool = False, batch: int = 3) -> list[SimpleNamespace]:
    """Return data samples with label maps twice as fine as the maps here: blocks of classes, some pixels ignored."""
    generator = torch.Generator().manual_seed(97)
    labels = torch.randint(0, classes, (batch, HEIGHT // 2, WIDTH), generator=generator)
    labels = labels.repeat_interleave(4, dim=1).repeat_interleave(2, dim=2)
    labels[0, :4, :2] = 255
    labels = labels.flip(1, 2) if flip else labels
    return [SimpleNamespace(gt_sem_seg=PixelData(data=entry[None])) for entry in labels]


MAKERS: dict[type, tuple] = {
    Voxels: (voxels,),
    Map: (bird_map,),
    Points: (points,),
    Logits: (anchor_logits, row_logits, pixel_logits),
    Distributions: (box_sides,),
}


def sample_of(feature: Feature, sample: int) -> Feature:
    """Return a batch of one sample."""
    if isinstance(feature, Voxels):
        inside = feature.coords[:, 0] == sample
        coords = feature.coords[inside].clone()
        coords[:, 0] = 0
        return replace(feature.select(inside), coords=coords, batch_size=1)
    if isinstance(feature, Points):
        return Points(feature.values[sample : sample + 1], feature.positions[sample : sample + 1])
    if isinstance(feature, Distributions):
        return replace(
            feature, values=feature.values[sample : sample + 1], scores=feature.scores[sample : sample + 1], maps=()
        )
    return feature.with_values(feature.values[sample : sample + 1])


def shuffled(feature: Feature, seed: int) -> Feature:
    """Return the same elements in another order (maps keep theirs: their order is where they are)."""
    generator = torch.Generator().manual_seed(seed)
    if isinstance(feature, Voxels):
        return feature.select(torch.randperm(len(feature.values), generator=generator))
    if isinstance(feature, Points):
        order = torch.randperm(feature.values.shape[1], generator=generator)
        return Points(feature.values[:, order], feature.positions[:, order])
    if isinstance(feature, Distributions):
        order = torch.randperm(feature.values.shape[1], generator=generator)
        rows = feature.values[:, order], feature.scores[:, order], feature.centres[order], feature.strides[order]
        return Distributions(*rows)
    if isinstance(feature, Logits):
        if feature.values.ndim == 2:
            return feature.with_values(feature.values[torch.randperm(len(feature.values), generator=generator)])
        return feature.with_values(feature.values.flip(2, 3))
    return feature


def samples_in(feature: Feature) -> int:
    """Return the number of samples."""
    return feature.batch_size if isinstance(feature, Voxels) else len(feature.values)
