import numpy as np
import pytest
from helpers.kitti_frames import BOXES, CALIBRATION, SIZE, labels

from pointkd.core.kitti import KittiObjects
from pointkd.datasets.kitti_folder import CLASSES
from pointkd.datasets.kitti_infos import all_classes, difficulty, frame_info, lidar_boxes, metainfo, select

ENTRIES = {'P2': CALIBRATION.projection}


def objects_with(height: float, occlusion: int, truncation: float) -> KittiObjects:
    objects = labels(('Car',), BOXES[:1], void=0)
    objects.boxes_2d[0, 3] = objects.boxes_2d[0, 1] + height
    objects.occlusion[0], objects.truncation[0] = occlusion, truncation
    return objects


@pytest.mark.parametrize(
    ('height', 'occlusion', 'truncation', 'level'),
    [
        (41, 0, 0.15, 0),
        (40, 0, 0.0, 1),  # the height must be above the limit
        (41, 1, 0.0, 1),
        (41, 0, 0.16, 1),
        (26, 2, 0.0, 2),
        (26, 0, 0.5, 2),
        (25, 0, 0.0, -1),
        (41, 3, 0.0, -1),
        (41, 0, 0.51, -1),
    ],
)
def test_difficulty_by_hand(height, occlusion, truncation, level):
    assert difficulty(objects_with(height, occlusion, truncation)).tolist() == [level]


def test_boxes_come_back_to_where_they_were_made():
    assert lidar_boxes(labels(void=0), CALIBRATION) == pytest.approx(BOXES, abs=1e-5)


def test_entries_of_a_frame():
    info = frame_info('000012', ENTRIES, CALIBRATION, SIZE, objects=labels(), counts=np.array([200, 150, -1]))
    assert info['sample_idx'] == 12
    assert info['lidar_points']['lidar_path'] == '000012.bin'
    assert (info['images']['CAM2']['width'], info['images']['CAM2']['height']) == SIZE
    car, person, void = info['instances']
    assert (car['bbox_label'], person['bbox_label'], void['bbox_label']) == (2, 0, -1)
    assert (car['num_lidar_pts'], void['num_lidar_pts']) == (200, -1)
    assert [entry['index'] for entry in info['instances']] == [0, 1, -1]
    assert car['bbox_3d'][3:6] == pytest.approx([3.9, 1.5, 1.6])  # length, height, width, as mmdet3d has it
    assert len(info['cam_instances']['CAM2']) == 2


def test_dontcare_in_the_middle_does_not_shift_the_numbers():
    objects = labels()
    order = np.array([0, 2, 1])
    shuffled = select(objects, np.array([True, False, False]))
    for field in ('truncation', 'occlusion', 'alpha', 'boxes_2d', 'dimensions', 'location', 'rotation_y'):
        setattr(shuffled, field, getattr(objects, field)[order])
    shuffled.names = [objects.names[row] for row in order]
    info = frame_info('1', ENTRIES, CALIBRATION, SIZE, objects=shuffled)
    assert [entry['index'] for entry in info['instances']] == [0, -1, 1]


def test_camera_boxes_are_the_projected_ones_cut_to_the_image():
    objects = labels(void=0)
    info = frame_info('1', ENTRIES, CALIBRATION, SIZE, objects=objects)
    for row, entry in enumerate(info['cam_instances']['CAM2']):
        assert entry['bbox'] == pytest.approx(objects.boxes_2d[row], abs=1e-6)
    beside = labels(('Car',), np.array([[5.0, 40.0, -1.7, 3.9, 1.6, 1.5, 0.0]]), void=0)
    assert frame_info('1', ENTRIES, CALIBRATION, SIZE, objects=beside)['cam_instances']['CAM2'] == []


def test_a_frame_without_labels_and_one_without_objects():
    assert frame_info('1', ENTRIES, CALIBRATION, SIZE)['instances'] == []
    assert 'cam_instances' not in frame_info('1', ENTRIES, CALIBRATION, SIZE)
    assert frame_info('1', ENTRIES, CALIBRATION, SIZE, objects=KittiObjects())['cam_instances'] == {'CAM2': []}


def test_own_classes_are_numbered_after_kittis():
    classes = all_classes(['Car', 'Boat'])
    assert classes == [*CLASSES, 'Boat']
    assert (
        metainfo(classes, ['Ghost'])['categories'] | {'Boat': 8, 'Ghost': -1}
        == metainfo(classes, ['Ghost'])['categories']
    )
    info = frame_info('1', ENTRIES, CALIBRATION, SIZE, objects=labels(('Boat', 'Ghost')), classes=classes)
    assert [entry['bbox_label_3d'] for entry in info['instances']] == [8, -1, -1]
