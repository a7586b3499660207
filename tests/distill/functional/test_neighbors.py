"""Nearest neighbours: equal to brute force to the last tie, in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import DataError, ShapeError
from pointkd.distill.functional import _nearest_table, knn


def brute_force(features, k, centres=None):
    """Every distance by differences, in float64; a stable sort gives ties to the lower index."""
    features = features.double()
    centres = range(len(features)) if centres is None else centres.tolist()
    rows = [(features[i] - features).square().sum(1).sort(stable=True).indices[:k] for i in centres]
    return torch.stack(rows)


def cloud(kind, rows, width, generator):
    """Features that are easy or hard to tell apart."""
    features = torch.randn(rows, width, generator=generator)
    near = torch.rand(rows, 1, generator=generator) < 0.5
    return {
        'random': features,
        'rounded': features.round(),
        'mostly equal': features.round().relu(),
        'far from the origin': features * 1e-3 + 12345,
        'a crowd': torch.where(near, features * 1e-7, features),
        'outlier': torch.where(torch.arange(rows)[:, None] == 0, features * 1e6, features),
        'a sphere': torch.where(torch.arange(rows)[:, None] == 0, 0, features / features.norm(dim=1, keepdim=True)),
    }[kind]


KINDS = ['random', 'rounded', 'mostly equal', 'far from the origin', 'a crowd', 'outlier', 'a sphere']
WAYS = ['loops', 'tensors']


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Both ways of choosing among candidates, on the CPU."""
    monkeypatch.setattr(_nearest_table, 'has_loops', lambda device: request.param == 'loops')
    return request.param


def by(way):
    """Choose the way inside a test that hypothesis repeats."""
    patch = pytest.MonkeyPatch()
    patch.setattr(_nearest_table, 'has_loops', lambda device: way == 'loops')
    return patch


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.sampled_from(WAYS),
    st.sampled_from(KINDS),
    st.integers(1, 150),
    st.integers(1, 9),
    st.integers(1, 40),
    st.integers(0, 2**16),
    st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]),
)
def test_equals_brute_force(way, kind, rows, width, k, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    features = cloud(kind, rows, width, generator).to(dtype).clamp(-6e4, 6e4)
    k = min(k, rows)
    patch = by(way)
    try:
        assert torch.equal(knn(features, k), brute_force(features, k))
    finally:
        patch.undo()


@pytest.mark.parametrize('kind', KINDS)
def test_chunks_groups_and_crowds_change_nothing(kind, way, monkeypatch):
    monkeypatch.setattr(_nearest_table, 'CROWD', -30)
    features = cloud(kind, 2000, 6, torch.Generator().manual_seed(7))
    centres = torch.arange(0, 2000, 37)
    expected = brute_force(features, 5, centres)
    assert torch.equal(knn(features, 5, centres), expected)
    assert torch.equal(knn(features, 5, centres, memory_mb=0), expected)  # one centre a chunk


def test_equal_elements_tie_by_index_however_many(way):
    features = torch.zeros(5000, 3)
    features[100] = 1
    assert knn(features, 4, torch.tensor([4999, 100])).tolist() == [[0, 1, 2, 3], [100, 0, 1, 2]]
    assert torch.equal(knn(-features * 0.0, 3, torch.tensor([2])), torch.tensor([[0, 1, 2]]))  # -0.0 is 0.0


def test_many_candidates_at_one_distance_are_measured(way):
    """Exact ties beyond what is ranked pair by pair: 379 points of a lattice lie within the 200th distance."""
    lattice = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 7)  # 2187 points; the middle is number 1093
    centres = torch.tensor([1093, 0])
    assert torch.equal(knn(lattice, 200, centres), brute_force(lattice, 200, centres))


@pytest.mark.parametrize('threads', [1, 2, 3])
def test_threads_change_nothing(threads):
    features = cloud('random', 3000, 8, torch.Generator().manual_seed(5))
    expected = brute_force(features, 7, torch.arange(500))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(knn(features, 7, torch.arange(500)), expected)
    finally:
        torch.set_num_threads(before)


def test_low_matrix_precision_and_autocast_change_nothing(way):
    features = cloud('far from the origin', 300, 8, torch.Generator().manual_seed(2))
    expected = knn(features, 9)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision('medium')
        with torch.autocast('cpu', torch.bfloat16):
            assert torch.equal(knn(features, 9), expected)
    finally:
        torch.set_float32_matmul_precision(before)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**16), st.floats(-3, 3))
def test_rigid_motion_and_order_don_t_matter(seed, angle):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(80, 3, dtype=torch.float64, generator=generator) * 50
    expected = knn(points, 6)
    cosine, sine = torch.cos(torch.tensor(angle)).double(), torch.sin(torch.tensor(angle)).double()
    turn = torch.tensor([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=torch.float64)
    assert torch.equal(knn(points @ turn.t() + 7, 6), expected)
    order = torch.randperm(80, generator=generator)
    assert torch.equal(order[knn(points[order], 6)], expected[order])


def test_bad_and_empty_input():
    with pytest.raises(ShapeError, match='k = 4'):
        knn(torch.zeros(3, 2), 4)
    with pytest.raises(ShapeError, match='M, C'):
        knn(torch.zeros(3), 1)
    with pytest.raises(DataError, match='NaN'):
        knn(torch.tensor([[0.0], [float('nan')]]), 1)
    nobody = torch.zeros(0, dtype=torch.long)
    assert knn(torch.zeros(0, 4), 3, nobody).shape == (0, 3)
    assert knn(torch.zeros(5, 4), 3, nobody).shape == (0, 3)
    assert knn(torch.zeros(3, 0), 2).tolist() == [[0, 1]] * 3


MEASURE = """
import resource, torch
from pointkd.distill.functional import knn
torch.set_num_threads(1)
features = torch.randn(96000, 64, generator=torch.Generator().manual_seed(0)).relu()
knn(features[:500], 8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
knn(features, 128, torch.arange(0, 96000, 16))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.long
def test_six_thousand_centres_of_96_thousand_stay_under_one_gigabyte():
    done = subprocess.run([sys.executable, '-c', MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1000
