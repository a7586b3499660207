from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops import voxelize
from pointkd.ops.bindings.voxelize import dynamic_voxelize_forward
from pointkd.ops.voxelize import dynamic_voxelize, hard_voxelize

RANGE = (-3.0, -2.0, -1.0, 3.0, 2.0, 1.0)
SIZE = (0.5, 0.4, 0.7)


def _cloud(count: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 5, generator=generator, dtype=torch.float64) * 8 - 4).to(dtype)


def _slow(points: Tensor, size: tuple[float, ...], bounds: tuple[float, ...], max_points: int, max_voxels: int):
    """Voxelise with a dictionary, in numpy scalars of the points' type."""
    number = points.numpy().dtype.type
    low, high, size32 = (np.array(values, np.float32) for values in (bounds[:3], bounds[3:], size))
    grid = np.floor(((high - low) / size32).astype(np.float64) + 0.5)
    buckets: dict[tuple[int, ...], list[np.ndarray]] = {}
    for point in points.numpy():
        cell = np.floor((point[:3] - low.astype(number)) / size32.astype(number))
        if not ((cell >= 0) & (cell < grid)).all():
            continue
        key = tuple(int(value) for value in cell[::-1])
        if key in buckets or len(buckets) < max_voxels:
            bucket = buckets.setdefault(key, [])
            if len(bucket) < max_points:
                bucket.append(point)
    voxels = np.zeros((len(buckets), max_points, points.shape[1]), number)
    for row, bucket in enumerate(buckets.values()):
        voxels[row, : len(bucket)] = bucket
    coors = np.array(list(buckets), np.int32).reshape(-1, 3)
    return voxels, coors, np.array([len(bucket) for bucket in buckets.values()], np.int32)


def _with_torch(points: Tensor, size, bounds, max_points: int, max_voxels: int) -> tuple[Tensor, ...]:
    """Return what other devices compute."""
    out = (
        torch.zeros(max_voxels, max_points, points.shape[1], dtype=points.dtype),
        torch.zeros(max_voxels, 3, dtype=torch.int32),
        torch.zeros(max_voxels, dtype=torch.int32),
    )
    count = voxelize._fill_torch(points, *voxelize.grid_of(size, bounds, points.dtype), *out)
    return tuple(tensor[:count] for tensor in out)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(('max_points', 'max_voxels'), [(3, 1000), (1, 40), (2, 0), (100, 7)])
def test_equals_the_slow_loop(dtype: torch.dtype, max_points: int, max_voxels: int) -> None:
    points = _cloud(1500, dtype)
    expected = _slow(points, SIZE, RANGE, max_points, max_voxels)
    for answer in (
        hard_voxelize(points, SIZE, RANGE, max_points, max_voxels),
        _with_torch(points, SIZE, RANGE, max_points, max_voxels),
    ):
        for actual, wanted in zip(answer, expected, strict=True):
            np.testing.assert_array_equal(actual.numpy(), wanted)
            assert actual.numpy().dtype == wanted.dtype


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 60),
    max_points=st.integers(1, 4),
    max_voxels=st.integers(1, 12),
    steps=st.integers(1, 8),
)
def test_properties(seed: int, count: int, max_points: int, max_voxels: int, steps: int) -> None:
    points = torch.round(_cloud(count, seed=seed) * steps) / steps  # many points on cell borders
    voxels, coors, num_points = hard_voxelize(points, SIZE, RANGE, max_points, max_voxels)
    for actual, wanted in zip(
        _with_torch(points, SIZE, RANGE, max_points, max_voxels), (voxels, coors, num_points), strict=True
    ):
        assert torch.equal(actual, wanted)
    cells = dynamic_voxelize(points, SIZE, RANGE)
    assert len(torch.unique(coors, dim=0)) == len(coors) <= max_voxels
    for voxel, coor, number in zip(voxels, coors, num_points, strict=True):
        members = points[(cells == coor).all(1)]
        assert torch.equal(voxel[:number], members[:max_points])
        assert not voxel[number:].any()
    inside = (cells >= 0).all(1)
    if len(torch.unique(cells[inside], dim=0)) <= max_voxels:
        assert int(num_points.sum()) == int(inside.sum()) or int(num_points.max()) == max_points


def test_nan_infinite_and_huge_points_are_outside() -> None:
    points = torch.zeros(5, 4)
    points[0, 1], points[1, 0], points[2, 2], points[3, 0] = float('nan'), float('inf'), -float('inf'), 1e30
    assert dynamic_voxelize(points, SIZE, RANGE)[:4].tolist() == [[-1, -1, -1]] * 4
    voxels, coors, counts = hard_voxelize(points, SIZE, RANGE, 4, 10)
    assert counts.tolist() == [1]
    assert coors.tolist() == [[1, 5, 6]]
    assert torch.equal(voxels[0, 0], points[4])


def test_half_of_a_cell_counts_upwards() -> None:
    # (5 - 0) / 2 = 2.5 cells: C rounds to 3, Python and torch would round to 2.
    cells = dynamic_voxelize(torch.tensor([[5.5, 0.0, 0.0]]), (2, 2, 2), (0, 0, 0, 5, 5, 5))
    assert cells.tolist() == [[0, 0, 2]]


def test_half_precision_is_voxelised_as_float32() -> None:
    points = _cloud(300).half()
    full = hard_voxelize(points.float(), SIZE, RANGE, 3, 500)
    half = hard_voxelize(points, SIZE, RANGE, 3, 500)
    assert half[0].dtype == torch.float16
    for actual, wanted in zip(half, full, strict=True):
        assert torch.equal(actual, wanted.to(actual.dtype))


def test_strided_points() -> None:
    points = _cloud(200)
    wanted = hard_voxelize(points[::2, :4].clone(), SIZE, RANGE, 3, 500)
    for actual, expected in zip(hard_voxelize(points[::2, :4], SIZE, RANGE, 3, 500), wanted, strict=True):
        assert torch.equal(actual, expected)


def test_many_cells_and_voxels() -> None:
    points = _cloud(20_000)
    answer = hard_voxelize(points, (0.001, 0.001, 0.001), RANGE, 2, 30_000)
    for actual, wanted in zip(answer, _with_torch(points, (0.001, 0.001, 0.001), RANGE, 2, 30_000), strict=True):
        assert torch.equal(actual, wanted)


@pytest.mark.parametrize('function', [hard_voxelize, dynamic_voxelize])
def test_wrong_shapes(function) -> None:
    more = (3, 10) if function is hard_voxelize else ()
    with pytest.raises(ShapeError, match=r'points: expected shape \(N, 3 or more\), got \(4, 2\)'):
        function(torch.zeros(4, 2), SIZE, RANGE, *more)
    with pytest.raises(ShapeError, match='voxel_size'):
        function(torch.zeros(4, 3), (1, 1), RANGE, *more)
    with pytest.raises(ShapeError, match='point_range'):
        function(torch.zeros(4, 3), SIZE, (0, 1), *more)


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ConfigError, match='3 dimensions, got 2'):
        dynamic_voxelize_forward(
            torch.zeros(1, 3), torch.ones(3), torch.ones(6), torch.zeros(1, 3, dtype=torch.int32), NDim=2
        )
