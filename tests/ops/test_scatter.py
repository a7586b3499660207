from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.ops import scatter
from pointkd.ops.scatter import dynamic_scatter, group_by_coordinate

REDUCTIONS = ('sum', 'mean', 'max')


def _inputs(count: int, seed: int = 0, cells: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 4, generator=generator, dtype=dtype)
    coors = torch.randint(-1, cells, (count, 3), generator=generator, dtype=torch.int32)
    return features, coors


def _slow(features: Tensor, coors: Tensor, reduce: str) -> tuple[list[list[float]], list[list[int]], list[int]]:
    groups: dict[tuple[int, ...], list[Tensor]] = {}
    for row, coor in zip(features, coors.tolist(), strict=True):
        if min(coor) >= 0:
            groups.setdefault(tuple(coor), []).append(row)
    keys = sorted(groups)
    functions = {'sum': lambda x: x.sum(0), 'mean': lambda x: x.mean(0), 'max': lambda x: x.amax(0)}
    values = [functions[reduce](torch.stack(groups[key])).tolist() for key in keys]
    return values, [list(key) for key in keys], [len(groups[key]) for key in keys]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), count=st.integers(0, 60), cells=st.integers(1, 4), reduce=st.sampled_from(REDUCTIONS)
)
def test_equals_the_slow_loop(seed: int, count: int, cells: int, reduce: str) -> None:
    features, coors = _inputs(count, seed, cells)
    values, voxels, point2voxel, counts = dynamic_scatter(features, coors, reduce)
    expected, keys, numbers = _slow(features, coors, reduce)
    assert voxels.tolist() == keys
    assert counts.tolist() == numbers
    assert values.shape == (len(keys), 4)
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64).reshape(-1, 4))
    for voxel, coor in zip(point2voxel.tolist(), coors.tolist(), strict=True):
        assert (keys[voxel] == coor) if min(coor) >= 0 else voxel == -1
    assert (point2voxel.dtype, counts.dtype, voxels.dtype) == (torch.int32, torch.int32, torch.int32)


@pytest.mark.parametrize('reduce', REDUCTIONS)
def test_gradient(reduce: str) -> None:
    features, coors = _inputs(25, cells=2)
    features.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dynamic_scatter(x, coors, reduce)[0], (features,))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_gradient_of_a_maximum_goes_to_the_first_point(dtype: torch.dtype) -> None:
    features = torch.tensor([[1.0, 9], [3, 2], [3, 9], [0, 0]], dtype=dtype, requires_grad=True)
    coors = torch.tensor([[0, 0], [0, 0], [0, 0], [-1, 0]])
    dynamic_scatter(features, coors, 'max')[0].sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 80))
def test_both_backends_give_one_gradient_of_a_maximum(seed: int, count: int) -> None:
    features, coors = _inputs(count, seed)
    features = features.round()  # many equal values
    maxima, _, point2voxel, _ = dynamic_scatter(features, coors, 'max')
    gradient = torch.randn(maxima.shape, dtype=torch.float64)
    loop = scatter._max_gradient_numba(gradient, features, maxima, point2voxel)
    assert torch.equal(loop, scatter._max_gradient_torch(gradient, features, maxima, point2voxel))


def test_half_precision() -> None:
    features, coors = _inputs(40, dtype=torch.float16)
    features.requires_grad_()
    values = dynamic_scatter(features, coors, 'max')[0]
    values.sum().backward()
    assert values.dtype == torch.float16
    assert features.grad is not None
    assert float(features.grad.sum()) == values.numel()


def test_coordinates_too_large_to_pack() -> None:
    coors = torch.tensor([[2**40, 2**40, 5], [0, 1, 2], [2**40, 2**40, 5]])
    voxels, point2voxel, count = group_by_coordinate(coors)
    assert voxels.tolist() == [[0, 1, 2], [2**40, 2**40, 5]]
    assert point2voxel.tolist() == [1, 0, 1]
    assert count.tolist() == [1, 2]


@pytest.mark.parametrize('reduce', REDUCTIONS)
def test_no_points_left(reduce: str) -> None:
    features = torch.zeros(2, 4, requires_grad=True)
    values, voxels, point2voxel, counts = dynamic_scatter(features, torch.full((2, 3), -1, dtype=torch.int32), reduce)
    assert values.shape == (0, 4)
    assert voxels.shape == (0, 3)
    assert counts.shape == (0,)
    assert point2voxel.tolist() == [-1, -1]
    values.sum().backward()
    assert features.grad is not None
    assert not features.grad.any()


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match='reduce: expected one of sum, mean, max'):
        dynamic_scatter(torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.int32), 'min')
    with pytest.raises(ShapeError, match='features'):
        dynamic_scatter(torch.zeros(3, 4), torch.zeros(2, 3, dtype=torch.int32))


def test_scatter_module_of_mmcv_with_several_samples() -> None:
    from pointkd.ops import standin

    standin.install()
    import mmcv.ops

    features, coors = _inputs(60, dtype=torch.float32)
    batch = torch.arange(60, dtype=torch.int32)[:, None] // 30
    layer = mmcv.ops.DynamicScatter([1, 1, 1], [0, 0, 0, 3, 3, 3], average_points=True)
    values, voxels = layer(features, torch.cat([batch, coors], dim=1))
    for sample in (0, 1):
        expected = dynamic_scatter(
            features[30 * sample : 30 * sample + 30], coors[30 * sample : 30 * sample + 30], 'mean'
        )
        torch.testing.assert_close(values[voxels[:, 0] == sample], expected[0])
