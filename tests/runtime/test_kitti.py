import numpy as np
import pytest

from pointkd.core.boxes import camera_to_lidar_boxes
from pointkd.core.kitti import Calibration, read_objects, write_objects
from pointkd.runtime.detections import Detections
from pointkd.runtime.kitti import AXES_TURN, to_kitti

CALIBRATION = Calibration(
    projection=np.array([[700.0, 0, 600, 0], [0, 700, 180, 0], [0, 0, 1, 0]]),
    rectification=np.eye(3),
    lidar_to_reference=np.concatenate([AXES_TURN[:3, :3], [[0.1], [-0.2], [-0.3]]], axis=1),
)


def detections(*rows):
    boxes = np.array(rows, dtype=np.float32).reshape(-1, 7)
    return Detections(
        boxes, np.linspace(0.9, 0.5, len(boxes), dtype=np.float32), np.arange(len(boxes)) % 2, ('Car', 'Cyclist')
    )


def test_boxes_come_back_from_the_file(tmp_path):
    found = detections([20, 3, -1.6, 4, 1.7, 1.5, 0.4], [9, -2, -1.5, 1.7, 0.6, 1.7, -2.0])
    write_objects(tmp_path / 'a.txt', to_kitti(found, CALIBRATION))
    read = read_objects(tmp_path / 'a.txt')
    boxes = camera_to_lidar_boxes(read.location, read.dimensions, read.rotation_y, CALIBRATION.lidar_to_camera)
    np.testing.assert_allclose(boxes, found.boxes, atol=2e-4)
    assert read.names == ['Car', 'Cyclist']
    np.testing.assert_allclose(read.scores, found.scores, atol=1e-6)


def test_2d_box_is_around_the_projected_corners_and_in_the_image():
    rows = to_kitti(
        detections([10, 0, -1.5, 4, 2, 1.5, 0.0], [10, 11, -1.5, 4, 2, 1.5, 0.0], [-10, 0, -1, 4, 2, 1.5, 0]),
        CALIBRATION,
    )
    near = 8 - 0.3  # depth of the front
    assert rows.boxes_2d[0, 0] == pytest.approx(600 + 700 * (-1 + 0.1) / near)
    assert rows.boxes_2d[0, 3] == pytest.approx(180 + 700 * (1.5 - 0.2) / near)
    assert rows.boxes_2d[1, 0] == 0  # cut at the border
    assert rows.boxes_2d[2].tolist() == [0, 0, 0, 0]  # behind the camera


def test_a_box_that_touches_the_camera_plane_keeps_what_is_in_front():
    rows = to_kitti(detections([0.5, 0, -1.5, 4, 2, 1.5, 0.0]), CALIBRATION)
    assert np.isfinite(rows.boxes_2d).all()
    assert (rows.boxes_2d[0, 2:] > rows.boxes_2d[0, :2]).all()


def test_without_calibration_the_axes_are_turned():
    rows = to_kitti(detections([20, 3, -1.6, 4, 1.7, 1.5, 0.0]))
    np.testing.assert_allclose(rows.location, [[-3, 1.6, 20]], atol=1e-6)
    assert rows.rotation_y[0] == pytest.approx(-np.pi / 2)
    assert rows.alpha[0] == pytest.approx(-np.pi / 2 - np.arctan2(-3, 20))
    assert not rows.boxes_2d.any()


def test_no_detections_give_an_empty_file(tmp_path):
    write_objects(tmp_path / 'a.txt', to_kitti(detections(), CALIBRATION))
    assert (tmp_path / 'a.txt').read_text() == ''
