import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.canvas import Drawn
from pointkd.datasets.synthetic_aerial.labels import Row, as_labels, label
from pointkd.datasets.synthetic_aerial.scene import Item
from pointkd.datasets.synthetic_aerial.shapes import block

SHAPE = block((0, 1), (0, 1), (0, 1), (1.0, 1.0, 1.0))
BOX = (10, 20, 50, 60)  # zoomed pixels
WHOLE = Drawn(BOX, BOX, 1000, 1000)


def item(name='car', crowd=False):
    return Item(name, SHAPE, 0.0, 0.0, 1.0, crowd)


@pytest.mark.parametrize(('seen', 'level'), [(1000, 0), (995, 0), (980, 1), (500, 1), (499, 2), (110, 2)])
def test_occlusion_follows_the_visible_share(seen, level):
    (row,) = label([item()], [WHOLE], np.array([seen]))
    assert row == Row((5, 10, 20, 20), 4, 0, level)
    assert row.text() == f'5,10,20,20,1,4,0,{level}'


@pytest.mark.parametrize(
    ('drawn', 'seen', 'expected'),
    [
        (Drawn((-40, 20, 50, 60), (0, 20, 50, 60), 1800, 1000), 1000, Row((0, 10, 25, 20), 4, 1, 0)),
        (Drawn((-90, 20, 50, 60), (0, 20, 50, 60), 2100, 1000), 1000, Row((0, 10, 25, 20), 0, 0, 0)),
        (WHOLE, 60, Row((5, 10, 20, 20), 0, 0, 0)),
        (Drawn((10, 20, 12, 24), (10, 20, 12, 24), 8, 8), 8, Row((5, 10, 1, 2), 0, 0, 0)),
        (WHOLE, 10, None),
        (Drawn(BOX, None, 1000, 0), 0, None),
        (None, 0, None),
    ],
    ids=['cut', 'more than half cut', 'hardly visible', 'tiny', 'out of sight', 'outside', 'not drawn'],
)
def test_what_becomes_of_an_object(drawn, seen, expected):
    assert label([item('car')], [drawn], np.array([seen])) == ([expected] if expected else [])


def test_scenery_has_no_row_and_a_crowd_has_one():
    other = Drawn((100, 20, 140, 30), (100, 20, 140, 30), 300, 300)
    items = [item(''), item('motor', crowd=True), item('motor', crowd=True), item('bus')]
    rows = label(items, [WHOLE, WHOLE, other, WHOLE], np.array([1000, 1000, 300, 1000]))
    assert rows == [Row((5, 10, 20, 20), 9, 0, 0), Row((5, 10, 65, 20), 0, 0, 0)]
    assert rows[1].text() == '5,10,65,20,0,0,0,0'


def test_nothing_gives_nothing():
    assert label([], [], np.zeros(0)) == []
    empty = as_labels([], 320)
    assert empty.boxes.shape == (0, 4)
    assert len(empty.sizes()) == len(empty.categories) == 0
