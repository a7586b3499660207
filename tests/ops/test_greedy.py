from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.ops import greedy
from pointkd.ops.greedy import best_first, greedy_keep


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), density=st.floats(0, 1), block=st.integers(1, 50))
def test_equals_the_slow_loop(seed: int, count: int, density: float, block: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = (torch.rand(count, count, generator=generator) < density).float()
    kept: list[int] = []
    for index in range(count):
        if not any(matrix[best, index] > 0.5 for best in kept):
            kept.append(index)
    before, greedy.BLOCK = greedy.BLOCK, block
    try:
        alive = greedy_keep(lambda rows, columns: matrix[rows][:, columns], count, 0.5, torch.device('cpu'))
    finally:
        greedy.BLOCK = before
    assert alive.nonzero().squeeze(1).tolist() == kept


def test_a_chain_in_one_block() -> None:
    """Each box overlaps the next one only, so that every second one stays: the longest way to the answer."""
    chain = torch.diag(torch.ones(199), 1)
    alive = greedy_keep(lambda rows, columns: chain[rows][:, columns], 200, 0.5, torch.device('cpu'))
    assert alive.tolist() == [index % 2 == 0 for index in range(200)]


def test_best_first_descends_without_gradient() -> None:
    scores = torch.tensor([0.2, 0.9, 0.5], requires_grad=True)
    assert best_first(scores).tolist() == [1, 2, 0]
