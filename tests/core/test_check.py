import numpy as np
import pytest

from pointkd.core.check import check_shape
from pointkd.core.errors import ShapeError


@pytest.mark.parametrize(
    ('shape', 'axes', 'sizes'),
    [
        ((5, 7), 'N 7', {'N': 5}),
        ((0, 7), 'N 7', {'N': 0}),
        ((2, 3, 3), 'B C C', {'B': 2, 'C': 3}),
        ((7,), '7', {}),
        ((), '', {}),
    ],
)
def test_lengths_by_name(shape, axes, sizes):
    assert check_shape(np.zeros(shape), axes, 'array') == sizes


@pytest.mark.parametrize(
    ('shape', 'axes'),
    [((5, 6), 'N 7'), ((5,), 'N 7'), ((5, 7, 1), 'N 7'), ((2, 3, 4), 'B C C'), ((), 'N'), ((1,), '')],
)
def test_another_shape_is_named(shape, axes):
    with pytest.raises(ShapeError) as caught:
        check_shape(np.zeros(shape), axes, 'boxes')
    assert str(caught.value).startswith('boxes: expected shape (')
    assert str(shape) in str(caught.value)
