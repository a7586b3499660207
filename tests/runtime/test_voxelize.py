import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.runtime.voxelize import Voxelizer

SMALL = Voxelizer((0.5, 0.5, 4.0), (0.0, -2.0, -3.0, 4.0, 2.0, 1.0), max_points=3, max_pillars=20)
GOLDEN_CASES = [
    'pillars',
    'second',
    'coarse',
    'one_point_each',
    'all_outside',
    'on_cell_borders',
    'borders_inexact_size',
    'grid_not_divisible',
    'dense_cluster',
    'far_from_origin',
]


def slow_loop(voxelizer, points):
    """Point by point, with a dictionary."""
    low = np.asarray(voxelizer.point_cloud_range[:3], dtype=np.float32)
    size = np.asarray(voxelizer.voxel_size, dtype=np.float32)
    cells = {}
    dropped = set()
    for point in points.astype(np.float32):
        cell = tuple(int(value) for value in np.floor((point[:3] - low) / size))
        if any(not 0 <= index < count for index, count in zip(cell, voxelizer.grid, strict=True)):
            continue
        if cell not in cells and len(cells) == voxelizer.max_pillars:
            dropped.add(cell)
            continue
        held = cells.setdefault(cell, [])
        if len(held) < voxelizer.max_points:
            held.append(point)
    return cells, dropped


@pytest.mark.parametrize('case', GOLDEN_CASES)
def test_equal_to_the_compiled_operator(golden, case):
    stored = np.load(golden / 'mmcv_ops' / 'hard_voxelize.npz')
    params = json.loads(str(stored['meta']))[case]['params']
    points = stored[f'{case}/in.points']
    voxelizer = Voxelizer(
        tuple(params['voxel_size']),
        tuple(params['coors_range']),
        params['max_points'],
        params['max_voxels'],
        points.shape[1],
    )
    pillars = voxelizer(points)
    np.testing.assert_array_equal(pillars.points, stored[f'{case}/out.voxels'])
    np.testing.assert_array_equal(pillars.coords, stored[f'{case}/out.coors'])
    np.testing.assert_array_equal(pillars.counts, stored[f'{case}/out.num_points'])


def test_the_file_has_no_other_case(golden):
    stored = np.load(golden / 'mmcv_ops' / 'hard_voxelize.npz')
    assert set(json.loads(str(stored['meta']))) == set(GOLDEN_CASES)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 300), spread=st.floats(0.5, 6.0))
def test_equal_to_a_slow_loop(seed, count, spread):
    points = np.random.default_rng(seed).normal(1, spread, (count, 4)).astype(np.float32)
    pillars = SMALL(points)
    cells, dropped = slow_loop(SMALL, points)
    assert [tuple(coord) for coord in pillars.coords] == [cell[::-1] for cell in cells]
    assert pillars.counts.tolist() == [len(held) for held in cells.values()]
    assert pillars.dropped_pillars == len(dropped)
    for row, count_held, held in zip(pillars.points, pillars.counts, cells.values(), strict=True):
        np.testing.assert_array_equal(row[:count_held], held)
        assert not row[count_held:].any()


def test_points_with_nan_or_infinity_are_dropped_and_counted():
    points = np.array([[1, 1, 0, 0.5], [np.nan, 1, 0, 0], [1, 1, 0, np.nan], [np.inf, 0, 0, 0]], dtype=np.float32)
    pillars = SMALL(points)
    assert pillars.invalid_points == 3
    assert pillars.counts.tolist() == [1]
    assert np.isfinite(pillars.points).all()


@pytest.mark.parametrize('points', [np.zeros((0, 4)), np.full((5, 4), 100.0), np.full((5, 4), np.nan)])
def test_no_point_in_range_gives_no_pillar(points):
    pillars = SMALL(points)
    assert len(pillars) == 0
    assert pillars.points.shape == (0, 3, 4)
    assert pillars.coords.shape == (0, 3)
    assert pillars.coords.dtype == pillars.counts.dtype == np.int32


def test_pillars_beyond_the_limit_are_dropped_and_counted():
    points = np.array([[0.25 + 0.5 * index, 0, 0, 0] for index in range(5)])
    pillars = Voxelizer(SMALL.voxel_size, SMALL.point_cloud_range, 3, 2)(points)
    assert pillars.coords[:, 2].tolist() == [0, 1]
    assert pillars.dropped_pillars == 3


def test_a_big_grid_is_no_problem():
    voxelizer = Voxelizer((0.001, 0.001, 0.001), (0, -40, -3, 70.4, 40, 1), 2, 10)
    assert voxelizer(np.array([[70.39, 39.99, 0.9, 0], [70.39, 39.99, 0.9, 1]])).counts.tolist() == [2]


def test_wrong_input_is_refused():
    with pytest.raises(ShapeError, match=r'\(N, 4\), got \(7, 5\)'):
        SMALL(np.zeros((7, 5)))
    with pytest.raises(ConfigError, match='at least 1'):
        Voxelizer(SMALL.voxel_size, SMALL.point_cloud_range, 0, 5)
    with pytest.raises(ConfigError, match='does not fit'):
        Voxelizer((9.0, 9.0, 9.0), SMALL.point_cloud_range, 1, 5)
