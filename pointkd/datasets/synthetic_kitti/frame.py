"""One frame, from its seed to its four files."""

from __future__ import annotations

import numpy as np

from pointkd.core.errors import StackError
from pointkd.core.files import atomic_write
from pointkd.core.kitti import write_calibration, write_objects, write_points
from pointkd.core.seeds import derive_seed
from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.synthetic_kitti.camera import random_camera
from pointkd.datasets.synthetic_kitti.casting import Caster
from pointkd.datasets.synthetic_kitti.labels import label_scene
from pointkd.datasets.synthetic_kitti.layout import random_scene
from pointkd.datasets.synthetic_kitti.render import render
from pointkd.datasets.synthetic_kitti.sensor import make_sensor, scan
from pointkd.datasets.synthetic_kitti.settings import SceneSettings


def frame_name(number: int) -> str:
    """Return the name of a frame's files, `000012`."""
    return f'{number:06d}'


def is_made(folder: KittiFolder, number: int) -> bool:
    """Return whether all files of a frame are there (each is written whole or not at all)."""
    name = frame_name(number)
    return all(
        path.is_file()
        for path in (folder.cloud(name), folder.calibration(name), folder.image(name), folder.label(name))
    )


def make_frame(folder: KittiFolder, settings: SceneSettings, number: int) -> None:
    """Make a frame and write its files, the label last."""
    seed = derive_seed(settings.seed, 'synthetic-kitti', number)
    layout_rng, camera_rng, scan_rng, light_rng = (np.random.default_rng([seed, part]) for part in range(4))
    scene = random_scene(layout_rng, settings.range_m)
    camera = random_camera(camera_rng)
    caster = Caster(scene)
    points, _ = scan(make_sensor(settings.beams, settings.range_m), caster, scan_rng)
    name = frame_name(number)
    write_points(folder.cloud(name), points)
    write_calibration(folder.calibration(name), camera.calibration)
    with atomic_write(folder.image(name)) as file:
        file.write(encode_png(render(caster, camera, light_rng)))
    write_objects(folder.label(name), label_scene(scene, caster, camera, points, settings.range_m))


def encode_png(image: np.ndarray) -> bytes:
    """Return an (H, W, 3) uint8 image as the bytes of a PNG file."""
    try:
        import cv2
    except ImportError as error:
        raise StackError(f'OpenCV is needed for images ({error}): pip install opencv-python-headless') from error
    _, content = cv2.imencode('.png', np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(content)
