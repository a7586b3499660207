"""Bringing two features to the same elements: by coordinate, never by index.

The student leads: its cells, voxels or points stay (those that the teacher has too), and the teacher is read there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Distributions, Feature, Grid, Logits, Map, Points, Voxels


def match(student: Feature, teacher: Feature) -> tuple[Feature, Feature]:
    """Return both features on the same elements, in the same order.

    Voxels are looked up by batch and cell; with unequal grids by the teacher's cell that holds the student voxel's
    centre. Maps are resampled to the student's cells (in metres where both grids are known). Points take their nearest
    teacher point.

    Args:
        student: feature with or without gradient.
        teacher: detached feature of the same kind; voxels may also meet a teacher's map.

    Returns:
        Student and teacher with equally many elements (perhaps none).

    Raises:
        ConfigError: the two kinds can't be matched.
    """
    if isinstance(student, Voxels) and isinstance(teacher, Voxels):
        return _match_voxels(student, teacher)
    if isinstance(student, Map) and isinstance(teacher, Map):
        return student, teacher.with_values(_resample(teacher.values, teacher.grid, student.values, student.grid))
    if isinstance(student, Points) and isinstance(teacher, Points):
        return student, _nearest_points(student, teacher)
    if isinstance(student, Logits) and isinstance(teacher, Logits):
        return student, _match_logits(student, teacher)
    if isinstance(student, Distributions) and isinstance(teacher, Distributions):
        _same_cells(student, teacher)
        return student, teacher
    raise ConfigError(
        f'a student feature of kind {type(student).__name__} can not be matched with a teacher feature of kind '
        f'{type(teacher).__name__}; tap layers of the same kind'
    )


def _match_voxels(student: Voxels, teacher: Voxels) -> tuple[Voxels, Voxels]:
    """Keep the student's voxels that the teacher has, and read the teacher there."""
    if student.grid == teacher.grid and torch.equal(student.coords, teacher.coords):
        return student, teacher
    wanted = student.coords.long()
    if student.grid != teacher.grid:
        if student.grid is None or teacher.grid is None:
            raise ConfigError(
                'voxels of unknown and of known position can not be matched; give both nets a voxel layer'
            )
        centres = student.grid.centres(student.coords[:, 1:])
        wanted = torch.cat([student.coords[:, :1].long(), teacher.grid.cells(centres)], dim=1)
    found, position = lookup(wanted, teacher.coords.long())
    return student.select(found), teacher.select(position)


def lookup(wanted: Tensor, stored: Tensor) -> tuple[Tensor, Tensor]:
    """Find rows of integers in a table of rows.

    Args:
        wanted: (N, D) int64.
        stored: (M, D) int64, unique rows.

    Returns:
        index (F,) of the wanted rows that exist, ascending, and their position (F,) in `stored`.
    """
    if not len(wanted) or not len(stored):
        empty = wanted.new_zeros(0)
        return empty, empty
    lowest = torch.minimum(wanted.amin(0), stored.amin(0))
    extent = torch.maximum(wanted.amax(0), stored.amax(0)) - lowest + 1
    stride = torch.cat([extent.flip(0).cumprod(0).flip(0)[1:], extent.new_ones(1)])
    stored_keys, order = ((stored - lowest) * stride).sum(1).sort()
    wanted_keys = ((wanted - lowest) * stride).sum(1)
    place = torch.searchsorted(stored_keys, wanted_keys).clamp(max=len(stored) - 1)
    found = torch.nonzero(stored_keys[place] == wanted_keys).flatten()
    return found, order[place[found]]


def _match_logits(student: Logits, teacher: Logits) -> Logits:
    """Bring the teacher's scores to the student's rows or cells."""
    if student.values.ndim != teacher.values.ndim or student.num_classes != teacher.num_classes:
        raise ConfigError(
            f'logits of shape {tuple(student.values.shape)} ({student.num_classes} classes) and '
            f'{tuple(teacher.values.shape)} ({teacher.num_classes} classes) can not be compared'
        )
    if student.values.ndim == 2:
        if len(student.values) != len(teacher.values):
            raise ConfigError(f'{len(student.values)} student rows and {len(teacher.values)} teacher rows')
        return teacher
    return teacher.with_values(_resample(teacher.values, teacher.grid, student.values, student.grid))


def _same_cells(student: Distributions, teacher: Distributions) -> None:
    """Refuse box sides of other cells or bins: they count distances in cells, so nothing can be resampled."""
    if student.values.shape != teacher.values.shape or not torch.equal(student.strides, teacher.strides):
        raise ConfigError(
            f'box sides of {tuple(student.values.shape[1:])} cells and channels can not be compared with '
            f'{tuple(teacher.values.shape[1:])}: both heads need the same levels, strides, reg_max and image padding'
        )


def _resample(teacher: Tensor, teacher_grid: Grid | None, student: Tensor, student_grid: Grid | None) -> Tensor:
    """Read a teacher's map at the student's cells, bilinearly."""
    size = student.shape[-2:]
    if teacher_grid is None or student_grid is None or _same_extent(teacher, teacher_grid, student, student_grid):
        if teacher.shape[-2:] == size:
            return teacher
        finer = teacher.shape[-2] > size[0] or teacher.shape[-1] > size[1]
        return functional.interpolate(teacher.float(), size=size, mode='bilinear', align_corners=False, antialias=finer)
    height, width = size
    x = (torch.arange(width, device=teacher.device) + 0.5) * student_grid.cell[0] + student_grid.origin[0]
    y = (torch.arange(height, device=teacher.device) + 0.5) * student_grid.cell[1] + student_grid.origin[1]
    x = 2 * (x - teacher_grid.origin[0]) / (teacher_grid.cell[0] * teacher.shape[-1]) - 1
    y = 2 * (y - teacher_grid.origin[1]) / (teacher_grid.cell[1] * teacher.shape[-2]) - 1
    where = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1).expand(len(teacher), -1, -1, -1)
    return functional.grid_sample(teacher.float(), where, align_corners=False, padding_mode='border')


def _same_extent(teacher: Tensor, teacher_grid: Grid, student: Tensor, student_grid: Grid) -> bool:
    """Return whether two maps cover the same ground."""
    for axis, side in ((0, -1), (1, -2)):
        lengths = teacher_grid.cell[axis] * teacher.shape[side], student_grid.cell[axis] * student.shape[side]
        if abs(lengths[0] - lengths[1]) > 1e-3 or abs(teacher_grid.origin[axis] - student_grid.origin[axis]) > 1e-3:
            return False
    return True


def _nearest_points(student: Points, teacher: Points) -> Points:
    """Read the teacher at its point nearest to each student point."""
    if torch.equal(student.positions, teacher.positions):
        return teacher
    values, positions = [], []
    for sample in range(len(student.positions)):
        index = torch.cat(
            [torch.cdist(part, teacher.positions[sample]).argmin(1) for part in student.positions[sample].split(4096)]
        )
        values.append(teacher.values[sample][index])
        positions.append(teacher.positions[sample][index])
    return Points(torch.stack(values), torch.stack(positions))
