"""mmdet3d's data set reads synthetic scenes and pastes objects from their database."""

import numpy as np
import pytest
from helpers.kitti_dataset import dataset

from pointkd.core.boxes import points_in_box
from pointkd.datasets.kitti_prepare import prepare

pytestmark = pytest.mark.long


def test_frames_with_pasted_objects(scenes, tmp_path):
    from pointkd.io.build import prepare as make_ready

    make_ready()
    prepare(scenes, tmp_path)
    frames = dataset(tmp_path)
    assert len(frames) == 8
    pasted = 0
    for index in range(len(frames)):
        own = len(frames.get_data_info(index)['ann_info']['gt_labels_3d'])
        np.random.seed(index)
        sample = frames[index]
        points = sample['inputs']['points'].numpy()
        boxes = sample['data_samples'].gt_instances_3d.bboxes_3d.tensor.numpy()
        pasted += len(boxes) - own
        assert points.shape[1] == 4
        assert all(points_in_box(points, box, 0.05).any() for box in boxes)
    assert pasted > 0
