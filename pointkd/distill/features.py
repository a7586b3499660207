"""What a tap hands to a method: maps, voxels, points or logits, with where they are in space.

Methods see these, never modules. `samples()` gives every kind as plain rows, one set a sample of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError


@dataclass(frozen=True)
class Grid:
    """Where a voxel grid or a bird's-eye map lies.

    Attributes:
        origin: x, y, z of the lowest corner, metres, LiDAR frame.
        cell: size of a cell in x, y, z, metres (the stride of the tapped layer included).
    """

    origin: tuple[float, float, float]
    cell: tuple[float, float, float]

    def strided(self, factor: tuple[float, float, float]) -> Grid:
        """Return the grid whose cells are `factor` (x, y, z) times as large."""
        x, y, z = (size * times for size, times in zip(self.cell, factor, strict=True))
        return Grid(self.origin, (x, y, z))

    def centres(self, index_zyx: Tensor) -> Tensor:
        """Return the centres (N, 3) x, y, z in metres of cells given by (N, 3) indices z, y, x."""
        cell = index_zyx.new_tensor(self.cell, dtype=torch.float32)
        origin = index_zyx.new_tensor(self.origin, dtype=torch.float32)
        return (index_zyx.flip(-1).float() + 0.5) * cell + origin

    def cells(self, positions: Tensor) -> Tensor:
        """Return the int64 indices (N, 3) z, y, x of the cells that hold positions (N, 3) x, y, z in metres."""
        cell, origin = positions.new_tensor(self.cell), positions.new_tensor(self.origin)
        return torch.floor((positions - origin) / cell).long().flip(-1)


@dataclass(frozen=True)
class Rows:
    """The elements of one sample.

    Attributes:
        values: (M, C) features.
        positions: (M, 3) metres (or cell numbers where no grid is known), None for logits.
        counts: (M,) raw points in each element, None where it has no meaning.
    """

    values: Tensor
    positions: Tensor | None = None
    counts: Tensor | None = None

    def __len__(self) -> int:
        return int(self.values.shape[0])


@dataclass(frozen=True)
class Map:
    """A dense map: values (N, C, H, W); H is y, W is x on a bird's-eye map with a grid."""

    values: Tensor
    grid: Grid | None = None

    def __post_init__(self) -> None:
        check_shape(self.values, 'N C H W', 'Map.values')

    @property
    def width(self) -> int:
        """Channels."""
        return int(self.values.shape[1])

    def with_values(self, values: Tensor) -> Map:
        """Return the same map with other values."""
        return replace(self, values=values)

    def samples(self) -> list[Rows]:
        """Return the cells of each sample as rows, in row-major order (y, then x)."""
        _, _, height, width = self.values.shape
        y, x = torch.meshgrid(
            torch.arange(height, device=self.values.device),
            torch.arange(width, device=self.values.device),
            indexing='ij',
        )
        index = torch.stack([torch.zeros_like(y), y, x], dim=-1).reshape(-1, 3)  # (H*W, 3) z, y, x
        positions = self.grid.centres(index) if self.grid else index.flip(-1).float()
        return [Rows(cells.flatten(1).t(), positions) for cells in self.values]


@dataclass(frozen=True)
class Voxels:
    """Sparse voxels or pillars of a batch.

    Attributes:
        values: (M, C).
        coords: (M, 4) integer, batch, z, y, x in cells of `grid`.
        batch_size: number of samples (a sample may have no voxel).
        grid: where the cells are; None when unknown (then voxels match only a side with the same coords).
        counts: (M,) raw points a voxel, None where unknown.
    """

    values: Tensor
    coords: Tensor
    batch_size: int
    grid: Grid | None = None
    counts: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = check_shape(self.values, 'M C', 'Voxels.values')
        if tuple(self.coords.shape) != (sizes['M'], 4):
            raise ShapeError(f'Voxels.coords: expected shape ({sizes["M"]}, 4), got {tuple(self.coords.shape)}')

    @property
    def width(self) -> int:
        """Channels."""
        return int(self.values.shape[1])

    def with_values(self, values: Tensor) -> Voxels:
        """Return the same voxels with other values."""
        return replace(self, values=values)

    def select(self, index: Tensor) -> Voxels:
        """Return the voxels at an index (int64 or bool)."""
        counts = None if self.counts is None else self.counts[index]
        return replace(self, values=self.values[index], coords=self.coords[index], counts=counts)

    def samples(self) -> list[Rows]:
        """Return the voxels of each sample, in their order."""
        positions = self.grid.centres(self.coords[:, 1:]) if self.grid else self.coords[:, 1:].flip(-1).float()
        rows = []
        for sample in range(self.batch_size):
            inside = self.coords[:, 0] == sample
            counts = None if self.counts is None else self.counts[inside]
            rows.append(Rows(self.values[inside], positions[inside], counts))
        return rows


@dataclass(frozen=True)
class Points:
    """Points of a batch: values (B, N, C), positions (B, N, 3) metres."""

    values: Tensor
    positions: Tensor

    def __post_init__(self) -> None:
        sizes = check_shape(self.values, 'B N C', 'Points.values')
        if tuple(self.positions.shape) != (sizes['B'], sizes['N'], 3):
            raise ShapeError(
                f'Points.positions: expected shape ({sizes["B"]}, {sizes["N"]}, 3), got {tuple(self.positions.shape)}'
            )

    @property
    def width(self) -> int:
        """Channels."""
        return int(self.values.shape[2])

    def with_values(self, values: Tensor) -> Points:
        """Return the same points with other values."""
        return replace(self, values=values)

    def samples(self) -> list[Rows]:
        """Return the points of each sample."""
        return [Rows(values, positions) for values, positions in zip(self.values, self.positions, strict=True)]


@dataclass(frozen=True)
class Logits:
    """Class scores before the activation.

    Attributes:
        values: (N, C) rows, or (N, A*C, H, W) maps of a dense head with A anchors a cell (class index fastest).
        num_classes: C.
        activation: `'softmax'` (one class a row) or `'sigmoid'` (each class on its own).
        grid: of a bird's-eye map.
    """

    values: Tensor
    num_classes: int
    activation: str = 'softmax'
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 4) or self.values.shape[1] % self.num_classes:
            raise ShapeError(
                f'Logits.values: expected (N, C) or (N, A*C, H, W) with C = {self.num_classes}, '
                f'got {tuple(self.values.shape)}'
            )

    @property
    def width(self) -> int:
        """Channels (anchors times classes)."""
        return int(self.values.shape[1])

    def with_values(self, values: Tensor) -> Logits:
        """Return the same logits with other values."""
        return replace(self, values=values)

    def class_rows(self) -> Tensor:
        """Return the scores as (N, R, C): R = 1 for rows, anchors x cells for maps."""
        if self.values.ndim == 2:
            return self.values.unsqueeze(1)
        batch, _, height, width = self.values.shape
        maps = self.values.reshape(batch, -1, self.num_classes, height, width)
        return maps.permute(0, 3, 4, 1, 2).reshape(batch, -1, self.num_classes)

    def samples(self) -> list[Rows]:
        """Return the class scores of each sample as rows."""
        return [Rows(rows) for rows in self.class_rows()]


Feature = Map | Voxels | Points | Logits
