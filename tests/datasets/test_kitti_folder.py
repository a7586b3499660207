import numpy as np
import pytest
from helpers.kitti_frames import CALIBRATION, png, write_frame

from pointkd.core.errors import DataError
from pointkd.core.kitti import Calibration, read_calibration
from pointkd.datasets.kitti_folder import (
    DEFAULT_SIZE,
    KITTI_SIZES,
    KittiFolder,
    image_size,
    in_image,
    png_size,
    size_from_calibration,
)


def with_camera(focal: float, centre: tuple[float, float]) -> Calibration:
    projection = np.array([[focal, 0, centre[0], 0], [0, focal, centre[1], 0], [0, 0, 1, 0]])
    return Calibration(projection, np.eye(3), CALIBRATION.lidar_to_reference)


@pytest.mark.parametrize(('focal', 'size'), KITTI_SIZES.items())
def test_the_size_of_a_kitti_day(focal, size):
    assert size_from_calibration(with_camera(focal, (600.0, 170.0))) == size


def test_elsewhere_the_principal_point_is_the_middle():
    assert size_from_calibration(with_camera(960.0, (1242.0, 375.0))) == (2484, 750)
    assert size_from_calibration(with_camera(960.0, (0.0, 375.0))) == DEFAULT_SIZE


def test_the_image_has_the_last_word(tmp_path):
    folder = write_frame(tmp_path)
    folder.image('000000').write_bytes(png(1224, 370))
    assert image_size(folder, '000000', CALIBRATION) == ((1224, 370), True)
    folder.image('000000').unlink()
    assert image_size(folder, '000000', CALIBRATION) == ((1220, 344), False)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'', 'is not a PNG'), (b'JFIF' * 20, 'is not a PNG'), (png()[:200], 'the image is truncated')],
)
def test_a_broken_image(tmp_path, content, message):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(DataError, match=message):
        png_size(tmp_path / 'a.png')


def test_a_missing_image(tmp_path):
    with pytest.raises(DataError, match='can not be read'):
        png_size(tmp_path / 'a.png')


def test_points_in_the_image_by_hand():
    camera = with_camera(600.0, (600.0, 180.0))
    points = np.array([[10.0, 0, 0, 0], [10, 11, 0, 0], [-10, 0, 0, 0], [10, 0, 4, 0], [200, 0, 0, 0]])
    size = (1200, 360)
    assert in_image(points, camera, size).tolist() == [True, False, False, False, True]
    assert in_image(points, camera, size, far_m=100).tolist() == [True, False, False, False, False]
    assert in_image(np.zeros((0, 4)), camera, size).tolist() == []


@pytest.mark.data
def test_sizes_of_real_images_follow_from_their_calibration(shared):
    folder = KittiFolder(shared / 'data' / 'kitti')
    frames = [path.stem for path in sorted((shared / 'data' / 'kitti' / 'training' / 'image_2').glob('*.png'))]
    assert frames
    for frame in frames:
        calibration = read_calibration(folder.calibration(frame))
        assert size_from_calibration(calibration) == png_size(folder.image(frame))
