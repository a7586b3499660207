import numpy as np
import pytest

from pointkd.core.errors import ConfigError
from pointkd.runtime.anchors import Anchors

RANGE = (0.0, -4.0, -1.0, 8.0, 4.0, -1.0)
SIZES = ((4.0, 2.0, 1.5), (0.8, 0.6, 1.7))


def test_anchors_stand_in_the_middle_of_the_cells():
    anchors = Anchors(4, 8, (RANGE,), SIZES, (0.0, 1.57))
    assert anchors.per_cell == 4
    np.testing.assert_allclose(
        anchors.at(np.array([0, 3]), np.array([0, 7]), np.array([0, 3])),
        [[0.5, -3, -1, 4, 2, 1.5, 0], [7.5, 3, -1, 0.8, 0.6, 1.7, 1.57]],
        rtol=1e-6,
    )


@pytest.mark.parametrize(('placement', 'first', 'last'), [('corner', 0, 6), ('spread', 0, 8), ('centre', 1, 7)])
def test_placements(placement, first, last):
    x = Anchors(2, 4, (RANGE,), SIZES[:1], (0.0,), placement).all()[0, :, 0, 0]
    assert (x[0], x[-1]) == (first, last)


def test_each_size_may_have_its_range():
    anchors = Anchors(2, 2, (RANGE, (0, -4, -0.6, 8, 4, -0.6)), SIZES, (0.0,), extra=2).all()
    assert anchors.shape == (2, 2, 2, 9)
    assert anchors.dtype == np.float32
    np.testing.assert_allclose(anchors[0, 0, :, 2], [-1, -0.6])
    assert not anchors[..., 7:].any()


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match='placement'):
        Anchors(2, 2, (RANGE,), SIZES, (0.0,), 'middle')
    with pytest.raises(ConfigError, match='3'):
        Anchors(2, 2, (RANGE,) * 3, SIZES, (0.0,))
