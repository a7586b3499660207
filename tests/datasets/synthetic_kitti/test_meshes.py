import numpy as np
import pytest

from pointkd.datasets.synthetic_kitti import people, surroundings, vehicles
from pointkd.datasets.synthetic_kitti.materials import NUMBERS, PALETTE, pick
from pointkd.datasets.synthetic_kitti.meshes import box, ellipsoid, join, leaves, prism, rim, tube

# Class: lowest and highest length, width, height (metres) of what is made.
SIZES = {
    'car': (vehicles.car, (3.0, 1.4, 1.3), (5.1, 2.0, 1.9)),
    'van': (vehicles.van, (4.3, 1.7, 1.8), (5.8, 2.1, 2.5)),
    'pedestrian': (people.pedestrian, (0.2, 0.35, 1.1), (1.5, 1.4, 2.05)),
    'cyclist': (people.cyclist, (1.5, 0.5, 1.3), (1.95, 0.8, 2.1)),
}
SCENERY = [
    lambda rng: surroundings.building(rng, 10.0),
    lambda rng: surroundings.wall(rng, 8.0),
    lambda rng: surroundings.hedge(rng, 8.0),
    surroundings.tree,
    surroundings.bush,
    surroundings.pole,
    surroundings.clutter,
]


def area(mesh):
    corners = mesh.vertices[mesh.triangles]
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()


def is_closed(mesh):
    """Every edge belongs to two triangles."""
    edges = np.sort(np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]]))
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return (counts == 2).all()


def test_surfaces_by_hand():
    assert area(box([1, 2, 3], [0, 0, 0], 'wood')) == pytest.approx(2 * (2 + 3 + 6))
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    cube = prism(square, np.full(4, 0.5), ['wood'] * 4, 'metal')
    assert area(cube) == pytest.approx(6)
    assert (cube.materials == NUMBERS['metal']).sum() == 8
    slim = tube([0, 0, 0], [0, 0, 2], (0.5, 0.5), 'metal', corners=200)
    assert area(slim) == pytest.approx(2 * np.pi * 0.5 * 2 + 2 * np.pi * 0.25, rel=1e-3)
    assert area(ellipsoid([0, 0, 0], [1, 1, 1], 'skin', rings=60, corners=60)) == pytest.approx(4 * np.pi, rel=1e-2)
    assert area(rim([0, 0, 0], (0.3, 0.2), 'rubber', corners=200)) == pytest.approx(np.pi * (0.09 - 0.04), rel=1e-3)


@pytest.mark.parametrize(
    'mesh',
    [
        box([1, 2, 3], [0, 0, 0], 'wood'),
        tube([0, 0, 0], [1, 1, 1], (0.1, 0.2), 'wood'),
        prism(np.array([[0.0, 0], [2, 0], [1, 1]]), np.array([1.0, 1.0, 0.5]), ['wood'] * 3, 'wood'),
    ],
)
def test_solids_have_no_holes(mesh):
    assert is_closed(mesh)


def test_moving_turns_first():
    moved = box([2, 1, 1], [1, 0, 0], 'wood').moved([10, 0, 0], np.pi / 2)
    assert moved.vertices.mean(axis=0) == pytest.approx([10, 1, 0])
    assert moved.size() == pytest.approx([1, 2, 1])


def test_join_keeps_the_parts():
    parts = [box([1, 1, 1], [0, 0, 0], 'wood'), tube([0, 0, 0], [0, 0, 1], (1, 1), 'metal')]
    whole = join(parts)
    assert area(whole) == pytest.approx(sum(area(part) for part in parts))
    assert len(whole.materials) == len(whole.triangles)


def test_leaves_stay_in_the_canopy_and_leave_gaps():
    canopy = leaves(np.random.default_rng(0), [0, 0, 5], [2, 2, 1], 200, 'leaf')
    assert np.abs(canopy.vertices - [0, 0, 5]).max() < 2.6
    assert area(canopy) < 4 * np.pi * 4


@pytest.mark.parametrize('kind', SIZES)
def test_objects_stand_on_the_ground_around_the_origin_and_have_their_size(kind):
    maker, low, high = SIZES[kind]
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(60):
        mesh = maker(rng)
        assert mesh.vertices[:, 2].min() == pytest.approx(0.0, abs=1e-9)
        assert mesh.vertices[:, :2].min(axis=0) == pytest.approx(-mesh.vertices[:, :2].max(axis=0))
        assert (mesh.size() >= low).all()
        assert (mesh.size() <= high).all()
        assert mesh.triangles.max() < len(mesh.vertices)
        sizes.append(mesh.size())
    assert (np.std(sizes, axis=0)[[0, 2]] > 0.02).all()  # no two alike


@pytest.mark.parametrize('number', range(len(SCENERY)))
def test_scenery_is_centred(number):
    mesh = SCENERY[number](np.random.default_rng(1))
    assert np.isfinite(mesh.vertices).all()
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    assert np.abs(middle[:2]).max() < 0.6  # leaves scatter a little


def test_pick_stays_in_the_family():
    rng = np.random.default_rng(0)
    assert {pick(rng, 'paint').split('_')[0] for _ in range(50)} == {'paint'}
    assert {pick(rng, 'brick stone') for _ in range(50)} == {'brick', 'stone'}
    assert all(0 < material.reflectance < 1 and 0 <= material.loss < 1 for material in PALETTE.values())
