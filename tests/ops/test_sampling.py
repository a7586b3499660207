import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pointkd.ops.sampling import bag_maximum, bags, bilinear, pixel_table, spans, weighted_rows


def test_weighted_rows_equals_gathering():
    table, weight = torch.randn(6, 3, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    index = torch.randint(0, 6, (4, 5))
    torch.testing.assert_close(weighted_rows(table, index, weight), (table[index] * weight[..., None]).sum(1))


def test_weighted_rows_gradients():
    table = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, dtype=torch.float64, requires_grad=True)
    index, start = torch.tensor([0, 1, 1, 5, 2, 2, 0]), torch.tensor([0, 3, 3, 5])
    assert gradcheck(lambda t, w: weighted_rows(t, index, w, start), (table, weight))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_no_bags_and_empty_bags(dtype):
    table = torch.randn(6, 3, dtype=dtype, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    weight = torch.zeros(0, dtype=dtype, requires_grad=True)
    for start in (nothing, torch.tensor([0, 0])):
        rows = weighted_rows(table, nothing, weight, start)
        assert rows.shape == (len(start), 3)
        assert rows.dtype == dtype
        rows.sum().backward()
        maximum, row = bag_maximum(table, nothing, start)
        assert maximum.tolist() == [[0.0] * 3] * len(start)
        assert row.tolist() == [[-1] * 3] * len(start)
    assert not table.grad.any()


def test_bag_maximum_takes_the_first_of_equals():
    table = torch.tensor([[1.0, -2.0], [1.0, -1.0], [0.0, -1.0]])
    maximum, row = bag_maximum(table, torch.tensor([2, 0, 1, 2]), torch.tensor([0, 3, 3]))
    assert maximum.tolist() == [[1.0, -1.0], [0.0, 0.0], [0.0, -1.0]]
    assert row.tolist() == [[0, 2], [-1, -1], [2, 2]]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 4), max_size=8))
def test_bags_lay_out_entries(sizes):
    bag, place, start = bags(torch.tensor(sizes, dtype=torch.int64))
    entries = [(number, entry) for number, size in enumerate(sizes) for entry in range(size)]
    assert list(zip(bag.tolist(), place.tolist(), strict=True)) == entries
    assert start.tolist() == [sum(sizes[:number]) for number in range(len(sizes))]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 12))
def test_spans_cover_everything_within_the_budget(sizes, budget):
    pieces = spans(sizes, budget)
    assert [size for piece in pieces for size in sizes[piece]] == sizes
    assert all(sum(sizes[piece]) <= budget or piece.stop - piece.start == 1 for piece in pieces)


def test_bilinear_weighs_pixels_by_hand():
    pixel, weight = bilinear(torch.tensor([0.25, -0.5]), torch.tensor([1.5, 0.0]), height=3, width=4)
    assert pixel[0].tolist() == [1, 2, 5, 6]
    assert weight[0].tolist() == [0.375, 0.375, 0.125, 0.125]
    assert weight[1].tolist() == [0.0, 0.0, 0.5, 0.0]  # the upper two pixels are outside


def test_bilinear_is_exact_on_planes():
    y, x = torch.rand(50, dtype=torch.float64) * 4, torch.rand(50, dtype=torch.float64) * 6
    plane = (torch.arange(5.0)[:, None] * 2 + torch.arange(7.0) * 3 + 1).double()
    pixel, weight = bilinear(y, x, 5, 7)
    torch.testing.assert_close((plane.flatten()[pixel] * weight).sum(-1), 2 * y + 3 * x + 1)


def test_half_types_are_widened():
    assert pixel_table(torch.zeros(2, 3, 4, 5, dtype=torch.bfloat16)).dtype == torch.float32
    assert pixel_table(torch.zeros(2, 3, 4, 5, dtype=torch.float64)).shape == (40, 3)
