import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.camera import Camera
from pointkd.datasets.synthetic_aerial.canvas import ZOOM, Canvas
from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.labels import whole_pixels
from pointkd.datasets.synthetic_aerial.light import random_light
from pointkd.datasets.synthetic_aerial.people import rider
from pointkd.datasets.synthetic_aerial.scene import LOOSE, make
from pointkd.datasets.synthetic_aerial.shapes import block

SIDE = 160
CAMERA = Camera(side=SIDE, pitch=0.75, distance_m=40.0, focal=400.0)
# Length, width and height in metres, before persons and cycles are enlarged.
SIZES = {
    'pedestrian': ((0.2, 1.3), (0.3, 1.3), (1.0, 2.3)),
    'people': ((0.4, 1.3), (0.4, 0.8), (0.8, 1.5)),
    'bicycle': ((1.4, 2.0), (0.4, 0.7), (0.9, 1.2)),
    'car': ((3.6, 5.8), (1.6, 2.1), (1.2, 2.1)),
    'van': ((3.8, 6.2), (1.5, 2.2), (1.5, 2.6)),
    'truck': ((5.3, 11.6), (1.9, 2.6), (2.2, 3.8)),
    'tricycle': ((2.5, 3.3), (0.9, 1.4), (1.0, 1.6)),
    'awning-tricycle': ((2.5, 3.6), (1.0, 1.5), (1.8, 2.0)),
    'bus': ((9.4, 12.3), (2.4, 2.6), (2.8, 3.6)),
    'motor': ((1.6, 2.0), (0.6, 0.8), (1.0, 1.3)),
}


def canvas(ground=None):
    rng = np.random.default_rng(0)
    ground = np.full((SIDE * ZOOM, SIDE * ZOOM, 3), 100, np.uint8) if ground is None else ground
    return Canvas(ground, CAMERA, random_light(rng), rng)


@pytest.mark.parametrize('name', CLASSES)
def test_sizes_are_those_of_the_class(name):
    for seed in range(20):
        shape = make(name, np.random.default_rng(seed))
        found = (*shape.footprint(), shape.quads[..., 2].max())
        for value, (low, high) in zip(found, SIZES[name], strict=True):
            assert low <= value / LOOSE.get(name, 1.0) <= high
        assert shape.quads[..., 2].min() >= 0.0
        assert ((shape.colours >= 0) & (shape.colours <= 300)).all()


def test_faces_of_a_block_look_outwards():
    quads = block((-2, 2), (-1, 1), (0, 1), (1.0, 2.0, 3.0), inset=(0.3, 0.3, 0.2)).quads
    normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    outward = quads.mean(axis=1) - [0, 0, 0.5]
    assert ((normals * outward).sum(axis=1) > 0).all()


def test_moving_keeps_distances():
    shape = make('car', np.random.default_rng(1))
    moved = shape.moved(3.0, -2.0, 1.1)
    sides = [np.linalg.norm(quads - np.roll(quads, 1, axis=1), axis=-1) for quads in (shape.quads, moved.quads)]
    assert sides[0] == pytest.approx(sides[1])


@pytest.mark.parametrize('name', [*CLASSES, 'rider'])
def test_the_box_is_that_of_the_drawn_pixels(name):
    """An object alone on a plain picture: its box is exactly where the picture changed."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shape = (rider(rng) if name == 'rider' else make(name, rng)).moved(*rng.uniform(-2, 2, 2), rng.uniform(-3, 3))
        board = canvas()
        board.image[:] = (255, 0, 255)  # a colour that nothing lit has
        drawn = board.draw(shape, owner=7)
        changed = (board.image != (255, 0, 255)).any(axis=-1)
        assert (changed == (board.owners == 7)).all()
        assert drawn.area == drawn.area_inside == changed.sum()
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert drawn.extent == drawn.inside == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        x, y, width, height = whole_pixels(drawn.extent)
        small = changed.reshape(SIDE, ZOOM, SIDE, ZOOM).any(axis=(1, 3))
        rows, columns = np.flatnonzero(small.any(axis=1)), np.flatnonzero(small.any(axis=0))
        assert (x, y, x + width, y + height) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@pytest.mark.parametrize('name', CLASSES)
def test_the_box_is_that_of_the_projected_corners(name):
    shape = make(name, np.random.default_rng(3)).moved(2.0, 1.0, 0.6)
    left, top, right, bottom = canvas().draw(shape).extent
    corners = CAMERA.project(shape.quads.reshape(-1, 3))[:, :2] * ZOOM
    assert [left, top] == pytest.approx(corners.min(axis=0), abs=2)
    assert [right, bottom] == pytest.approx(corners.max(axis=0), abs=2)


def test_a_cut_object_counts_what_is_outside():
    edge = CAMERA.ground(np.array([0.0, SIDE / 2]))
    drawn = canvas().draw(make('bus', np.random.default_rng(0)).moved(*edge, 0.0), owner=1)
    assert drawn.extent[0] < 0 == drawn.inside[0]
    assert drawn.area_inside / drawn.area == pytest.approx(0.5, abs=0.08)


def test_what_is_outside_is_not_drawn():
    board = canvas()
    drawn = board.draw(make('car', np.random.default_rng(0)).moved(200.0, 0.0, 0.0), owner=1)
    assert drawn.inside is None
    assert drawn.area_inside == 0
    assert not board.owners.any()
    behind = make('car', np.random.default_rng(0)).moved(0.0, -500.0, 0.0)
    assert board.draw(behind, owner=1) is None


def test_the_later_of_two_hides_the_earlier():
    board = canvas()
    first = board.draw(make('car', np.random.default_rng(0)).moved(0.0, 2.0, 0.0), owner=1)
    second = board.draw(make('truck', np.random.default_rng(0)).moved(0.0, 0.0, 0.0), owner=2)
    seen = np.bincount(board.owners.ravel(), minlength=3)
    assert seen[2] == second.area
    assert 0 < seen[1] < first.area
