import numpy as np
import pytest
from matplotlib.image import imread

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.report.birdseye import BoxSet, draw_birdseye

EXTENT = (0.0, -10.0, 20.0, 10.0)


def draw(path, *, points=None, sets=(), **options):
    cloud = np.zeros((0, 4), dtype=np.float32) if points is None else points
    draw_birdseye(path, cloud, sets, extent=EXTENT, **options)
    return imread(path)[..., :3]


def share(picture, colour, tolerance=0.12):
    """Share of pixels of a colour, by column and by row."""
    wanted = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    near = np.abs(picture - wanted).max(axis=-1) < tolerance
    return near.mean(axis=0), near.mean(axis=1)


def test_x_is_up_and_y_is_to_the_left(tmp_path):
    box = np.array([[15.0, 6.0, -1.0, 4.0, 2.0, 1.5, 0.0]])  # far ahead, on the left
    picture = draw(tmp_path / 'a.png', sets=[BoxSet('a', box, colour='#ff0000')])
    columns, rows = share(picture[60:], '#ff0000')  # without the legend
    assert columns[: len(columns) // 2].sum() > 0
    assert columns[len(columns) // 2 :].sum() == 0
    assert rows[: len(rows) // 2].sum() > 0
    assert rows[len(rows) // 2 :].sum() == 0


def test_each_set_has_its_colour(tmp_path):
    boxes = np.array([[10.0, 0.0, -1.0, 4.0, 2.0, 1.5, 0.4], [10.0, 5.0, -1.0, 4.0, 2.0, 1.5, 0.4]])
    sets = [BoxSet('truth', boxes[:1]), BoxSet('teacher', boxes[1:]), BoxSet('none', boxes[:0])]
    picture = draw(tmp_path / 'a.png', sets=sets)
    assert share(picture, '#ffd24d')[0].sum() > 0
    assert share(picture, '#ff7f6b')[0].sum() > 0


def test_side_by_side_is_as_wide_as_its_sets(tmp_path):
    box = np.array([[10.0, 0.0, -1.0, 4.0, 2.0, 1.5, 0.4]])
    sets = [BoxSet('truth', box), BoxSet('student', box)]
    together = draw(tmp_path / 'a.png', sets=sets)
    apart = draw(tmp_path / 'b.png', sets=sets, side_by_side=True, title='frame')
    assert apart.shape[1] == 2 * together.shape[1]


def test_empty_and_broken_clouds_are_drawn(tmp_path):
    draw_birdseye(tmp_path / 'a.png', np.zeros((0, 4)), [])
    broken = np.array([[1.0, 2.0, np.nan, 0.0], [5.0, 0.0, 0.0, 0.0], [np.inf, 0.0, 0.0, 0.0]])
    draw_birdseye(tmp_path / 'b.png', broken, [])
    assert (tmp_path / 'b.png').stat().st_size > 1000


def test_captions_show(tmp_path):
    box = np.array([[10.0, 0.0, -1.0, 4.0, 2.0, 1.5, 0.4]])
    plain = draw(tmp_path / 'a.png', sets=[BoxSet('a', box)])
    written = draw(tmp_path / 'b.png', sets=[BoxSet('a', box, ['Car 0.93'])])
    assert not np.array_equal(plain, written)


def test_wrong_input_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='extent'):
        draw_birdseye(tmp_path / 'a.png', np.zeros((1, 4)), [], extent=(5, 0, 5, 10))
    with pytest.raises(ShapeError, match='boxes'):
        draw_birdseye(tmp_path / 'a.png', np.zeros((1, 4)), [BoxSet('a', np.zeros((2, 5)))])
    assert not (tmp_path / 'a.png').exists()
