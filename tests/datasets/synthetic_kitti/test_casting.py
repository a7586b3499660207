"""The rays of LiDAR and camera in a scene simple enough to know the answers."""

import numpy as np
import pytest

from pointkd.core.boxes import points_in_box
from pointkd.datasets.synthetic_kitti.camera import HEIGHT, WIDTH, clip_to_image, random_camera
from pointkd.datasets.synthetic_kitti.casting import Caster
from pointkd.datasets.synthetic_kitti.labels import label_scene
from pointkd.datasets.synthetic_kitti.materials import NUMBERS
from pointkd.datasets.synthetic_kitti.meshes import box
from pointkd.datasets.synthetic_kitti.render import render
from pointkd.datasets.synthetic_kitti.scene import Scene
from pointkd.datasets.synthetic_kitti.sensor import make_sensor, scan
from pointkd.datasets.synthetic_kitti.street import Street

STREET = Street(0.0, 0.0, 0.0, 5.0, 60.0, np.zeros(2), np.zeros((0, 4)))


def cube(along, across=0.0, size=(2.0, 2.0, 2.0), material='paint_white'):
    return box(size, [0, 0, size[2] / 2], material).centred(), along, across


def scene_of(*cubes, names=None):
    scene = Scene(STREET, scenery=[STREET.ground('grass')])
    for number, (mesh, along, across) in enumerate(cubes):
        scene.add_object(names[number] if names else 'Car', mesh, along, across, 0.0, gap=0.0)
    assert len(scene.objects) == len(cubes)
    return scene


def labels_of(scene, range_m=70.0, beams=64):
    caster, camera = Caster(scene), random_camera(np.random.default_rng(1))
    points, _ = scan(make_sensor(beams, range_m), caster, np.random.default_rng(2))
    return label_scene(scene, caster, camera, points, range_m), points


def test_a_ray_by_hand():
    hits = Caster(scene_of(cube(10.0))).cast(np.zeros(3), np.array([[1.0, 0, 0], [0, 0, 1], [0, 0, -1]]))
    assert hits.distance[0] == pytest.approx(9.0, abs=1e-4)
    assert hits.distance[1] == np.inf
    assert hits.distance[2] == pytest.approx(1.73, abs=1e-4)
    assert hits.item.tolist() == [0, -1, -1]
    assert hits.material[[0, 2]].tolist() == [NUMBERS['paint_white'], NUMBERS['asphalt']]
    assert hits.incidence[[0, 2]] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert hits.normal[0] == pytest.approx([-1.0, 0, 0], abs=1e-5)


def test_share_in_sight_by_hand():
    caster = Caster(scene_of(cube(20.0), cube(10.0, across=0.5, size=(1.0, 1.0, 3.0))))
    y = np.linspace(-0.9, 0.9, 181)
    directions = np.stack([np.full(181, 19.0), y, np.full(181, -0.5)], axis=1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shares = caster.seen_share(np.zeros(3), directions, np.zeros(181, dtype=int), 2)
    # the near cube spans y = 0..1 at x = 9.5, so y = 0..2 at x = 19: the left half is hidden
    assert shares == pytest.approx([0.5, 0.0], abs=0.02)


@pytest.mark.parametrize(('beams', 'low', 'high'), [(64, -24.8, 2.0), (32, -30.67, 10.67), (16, -15.0, 15.0)])
def test_beams(beams, low, high):
    sensor = make_sensor(beams, 70.0)
    directions = sensor.directions()
    assert directions.shape[0] % beams == 0
    assert np.linalg.norm(directions, axis=1) == pytest.approx(np.ones(len(directions)))
    elevation = np.degrees(np.arcsin(directions[:, 2]))
    assert (elevation.min(), elevation.max()) == pytest.approx((low, high))
    azimuth = np.degrees(np.arctan2(directions[:, 1], directions[:, 0]))
    assert np.abs(azimuth).max() < 45.5


def test_points_lie_on_surfaces_but_for_noise():
    scene = scene_of(cube(10.0))
    points, item = scan(make_sensor(64, 70.0), Caster(scene), np.random.default_rng(0))
    assert points.dtype == np.float32
    own = points[item == 0]
    assert len(own) > 200
    front = own[np.abs(own[:, 1]) < 0.9]
    assert np.median(front[:, 0]) == pytest.approx(9.0, abs=0.02)
    assert 0.01 < np.std(front[np.abs(front[:, 0] - 9.0) < 0.2, 0]) < 0.04
    ground = points[(item == -1) & (np.hypot(points[:, 0], points[:, 1]) < 30) & (np.abs(points[:, 1]) < 4)]
    assert np.abs(ground[:, 2] + 1.73).max() < 0.1
    assert points[:, 3].min() >= 0.0
    assert points[:, 3].max() < 1.0


def test_far_ground_fades_before_far_cars():
    points, item = scan(make_sensor(64, 80.0), Caster(scene_of(cube(60.0))), np.random.default_rng(0))
    distance = np.hypot(points[:, 0], points[:, 1])
    assert (item == 0).sum() > 20
    assert (distance[item == -1] < 20).sum() > 20 * (distance[item == -1] > 50).sum()


def test_dark_glass_returns_little():
    bright, dark = (
        (
            scan(make_sensor(64, 70.0), Caster(scene_of(cube(15.0, material=name))), np.random.default_rng(0))[1] == 0
        ).sum()
        for name in ('paint_white', 'glass')
    )
    assert dark < 0.4 * bright


@pytest.mark.parametrize('seed', range(5))
def test_pixel_rays_project_onto_their_pixels(seed):
    camera = random_camera(np.random.default_rng(seed))
    pixels = np.array([[0.0, 0], [600, 170], [1241, 374]])
    points = camera.centre() + 20.0 * camera.rays(pixels)
    back, depth = camera.calibration.project(camera.rectified(points))
    assert back == pytest.approx(pixels, abs=1e-6)
    assert (depth > 0).all()


def test_box_of_something_beside_the_camera():
    camera = random_camera(np.random.default_rng(0))
    beside = box([4.0, 1.8, 1.5], [1.0, 2.5, -1.0], 'wood')  # half before, half behind the image plane
    left = camera.box_2d(beside)
    assert left is not None
    assert left[0] < -1000  # it leaves the image on its left side
    assert camera.box_2d(beside.moved([-10, 0, 0])) is None
    assert clip_to_image(left)[0] == 0


def test_labels_of_a_simple_scene():
    objects, points = labels_of(scene_of(cube(12.0, 3.0), cube(25.0, -3.0)))
    assert objects.names == ['Car', 'Car']
    assert objects.occlusion.tolist() == [0, 0]
    assert objects.truncation == pytest.approx([0, 0], abs=1e-6)
    assert objects.location[:, 2] == pytest.approx([11.73, 24.73], abs=0.15)
    assert objects.dimensions[0] == pytest.approx([2.04, 2.04, 2.04])
    assert (np.abs(objects.alpha - objects.rotation_y) < 0.5).all()
    assert len(points) > 5000


def test_hidden_cut_and_far_objects():
    hidden, _ = labels_of(scene_of(cube(10.0, size=(2.0, 6.0, 5.0)), cube(20.0)))
    assert hidden.names == ['Car']  # no point, not in sight: not even DontCare
    partly, _ = labels_of(scene_of(cube(10.0, 1.0, size=(1.0, 2.0, 3.0)), cube(20.0)))
    assert partly.occlusion.tolist()[1] in (1, 2)
    cut, _ = labels_of(scene_of(cube(6.0, 4.6)))
    assert 0.2 < cut.truncation[0] < 0.95
    assert cut.boxes_2d[0, 0] == 0
    far, _ = labels_of(scene_of(cube(20.0), cube(45.0, 4.0)), range_m=30.0)
    assert far.names == ['Car', 'DontCare']
    assert far.location[1].tolist() == [-1000.0] * 3
    assert far.occlusion[1] == -1


def test_an_empty_scene():
    objects, points = labels_of(scene_of())
    assert len(objects) == 0
    assert len(points) > 3000


def test_image_shows_the_cube_where_its_box_is():
    scene = scene_of(cube(10.0, material='paint_red'))
    camera = random_camera(np.random.default_rng(1))
    image = render(Caster(scene), camera, np.random.default_rng(0)).astype(int)
    assert image.shape == (HEIGHT, WIDTH, 3)
    red = (image[..., 0] > 2 * image[..., 2]) & (image[..., 0] > 2 * image[..., 1])
    rows, columns = np.nonzero(red)
    found = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert found == pytest.approx(clip_to_image(camera.box_2d(scene.objects[0].mesh)), abs=3)


def test_points_of_an_object_are_in_its_box():
    scene = scene_of(cube(10.0, 2.0), cube(15.0, -2.0))
    points, item = scan(make_sensor(64, 70.0), Caster(scene), np.random.default_rng(0))
    for number, thing in enumerate(scene.objects):
        inside = points_in_box(points[item == number], thing.box, margin=0.08)
        assert inside.mean() > 0.98
