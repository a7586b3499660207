"""What a tap hands to a method: maps, voxels, points or scores, with where they are in space.

Methods see these, never modules. `rows()` gives the elements of every kind as plain rows, `places()` says which of them
belong to which sample, and `samples()` gives the rows of each sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError


@dataclass(frozen=True)
class Grid:
    """Where a voxel grid, a bird's-eye map or a map of an image lies.

    Attributes:
        origin: x, y, z of the lowest corner, metres, LiDAR frame; 0 for images.
        cell: size of a cell in x, y, z, metres (the stride of the tapped layer included); for images in pixels of the
            padded input, z without meaning.
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
    """Elements of a batch or of one sample.

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

    def take(self, places: Tensor) -> Rows:
        """Return the elements at some places (int64)."""
        positions, counts = self.positions, self.counts
        return Rows(
            self.values.index_select(0, places),
            None if positions is None else positions.index_select(0, places),
            None if counts is None else counts.index_select(0, places),
        )


class _Samples:
    """What features of every kind can do with their rows."""

    values: Tensor

    @property
    def sources(self) -> tuple[Tensor, ...]:
        """Tensors of the network that the values were made of: gradients of other losses arrive there."""
        return (self.values,)

    def rows(self) -> Rows:
        """Return all elements of the batch."""
        raise NotImplementedError

    def places(self) -> list[Tensor]:
        """Return where each sample's elements stand among the rows, (M,) int64."""
        raise NotImplementedError

    def samples(self) -> list[Rows]:
        """Return the elements of each sample."""
        rows = self.rows()
        return [rows.take(places) for places in self.places()]


def _in_blocks(samples: int, elements: int, like: Tensor) -> list[Tensor]:
    """Return the places of samples that lie one behind the other, equally many elements each."""
    places = torch.arange(samples * elements, device=like.device)
    return list(places.reshape(samples, elements))


def _cells_of(values: Tensor) -> Tensor:
    """Return the indices (H*W, 3) z, y, x of the cells of a map (N, C, H, W), in row-major order."""
    y, x = torch.meshgrid(
        torch.arange(values.shape[2], device=values.device),
        torch.arange(values.shape[3], device=values.device),
        indexing='ij',
    )
    return torch.stack([torch.zeros_like(y), y, x], dim=-1).reshape(-1, 3)


@dataclass(frozen=True)
class Map(_Samples):
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

    def rows(self) -> Rows:
        """Return the cells, sample after sample, each in row-major order (y, then x)."""
        index = _cells_of(self.values)
        positions = self.grid.centres(index) if self.grid else index.flip(-1).float()
        values = self.values.permute(0, 2, 3, 1).reshape(-1, self.width)
        return Rows(values, positions.repeat(len(self.values), 1))

    def places(self) -> list[Tensor]:
        """Return where each sample's cells stand among the rows."""
        return _in_blocks(len(self.values), self.values.shape[2] * self.values.shape[3], self.values)


@dataclass(frozen=True)
class Voxels(_Samples):
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

    def rows(self) -> Rows:
        """Return the voxels in their order."""
        positions = self.grid.centres(self.coords[:, 1:]) if self.grid else self.coords[:, 1:].flip(-1).float()
        return Rows(self.values, positions, self.counts)

    def places(self) -> list[Tensor]:
        """Return where each sample's voxels stand among the rows, ascending."""
        return [torch.nonzero(self.coords[:, 0] == sample).flatten() for sample in range(self.batch_size)]


@dataclass(frozen=True)
class Points(_Samples):
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

    def rows(self) -> Rows:
        """Return the points, sample after sample."""
        return Rows(self.values.flatten(0, 1), self.positions.flatten(0, 1))

    def places(self) -> list[Tensor]:
        """Return where each sample's points stand among the rows."""
        return _in_blocks(self.values.shape[0], self.values.shape[1], self.values)


@dataclass(frozen=True)
class Logits(_Samples):
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

    def rows(self) -> Rows:
        """Return the class scores, sample after sample."""
        return Rows(self.class_rows().flatten(0, 1))

    def places(self) -> list[Tensor]:
        """Return where each sample's class scores stand among the rows."""
        rows = self.class_rows()
        return _in_blocks(rows.shape[0], rows.shape[1], rows)


@dataclass(frozen=True)
class Distributions(_Samples):
    """Box sides of a dense image head as distributions over distances; the cells of all levels, one after another.

    Attributes:
        values: (N, R, 4 * B), for the left, top, right and bottom side of each cell B scores before the softmax over
            distances 0 ... B-1 cells.
        scores: (N, R, C) class scores before the sigmoid.
        centres: (R, 2) x, y of the cells, pixels of the padded input.
        strides: (R,) size of the cells, pixels; tells the levels apart.
        maps: the head's box maps (N, 4 * B, H, W) that the values were made of, where there are any.
    """

    values: Tensor
    scores: Tensor
    centres: Tensor
    strides: Tensor
    maps: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        sizes = check_shape(self.values, 'N R K', 'Distributions.values')
        if sizes['K'] % 4:
            raise ShapeError(f'Distributions.values: {sizes["K"]} channels are not the bins of four sides')
        for name, shape in (('scores', (sizes['N'], sizes['R'])), ('centres', (sizes['R'], 2))):
            if tuple(getattr(self, name).shape[:2]) != shape:
                raise ShapeError(f'Distributions.{name}: expected {shape}, got {tuple(getattr(self, name).shape)}')

    @classmethod
    def of_maps(
        cls, scores: Sequence[Tensor], sides: Sequence[Tensor], grids: Sequence[Grid], offset: float = 0.5
    ) -> Distributions:
        """Join the maps of a head's levels.

        Args:
            scores: (N, C, H, W) class scores, one anchor a cell.
            sides: (N, 4 * B, H, W).
            grids: of each level, pixels.
            offset: where in a cell its distances start, as a part of the cell (0 the upper left corner).
        """
        centres = [
            grid.centres(_cells_of(maps) + (offset - 0.5))[:, :2] for maps, grid in zip(sides, grids, strict=True)
        ]
        strides = [torch.full_like(cells[:, 0], grid.cell[0]) for cells, grid in zip(centres, grids, strict=True)]
        joined = [torch.cat([maps.flatten(2) for maps in levels], 2).transpose(1, 2) for levels in (sides, scores)]
        return cls(joined[0], joined[1], torch.cat(centres), torch.cat(strides), tuple(sides))

    @property
    def sources(self) -> tuple[Tensor, ...]:
        """The head's box maps."""
        return self.maps or (self.values,)

    @property
    def width(self) -> int:
        """Channels: four sides times bins."""
        return int(self.values.shape[2])

    def with_values(self, values: Tensor) -> Distributions:
        """Return the same cells with other values."""
        return replace(self, values=values, maps=())

    def rows(self) -> Rows:
        """Return the cells, sample after sample."""
        centres = torch.cat([self.centres, torch.zeros_like(self.centres[:, :1])], dim=1)
        return Rows(self.values.flatten(0, 1), centres.repeat(len(self.values), 1))

    def places(self) -> list[Tensor]:
        """Return where each sample's cells stand among the rows."""
        return _in_blocks(self.values.shape[0], self.values.shape[1], self.values)


Feature = Map | Voxels | Points | Logits | Distributions
