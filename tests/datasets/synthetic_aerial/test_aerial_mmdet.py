"""mmdet's own data set class reads what was made, ignored regions included."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pointkd.datasets.synthetic_aerial.classes import CLASSES


@pytest.mark.long
def test_the_coco_data_set_of_mmdet_reads_it(aerial):
    from pointkd.ops import standin

    standin.install()
    from mmdet.datasets import CocoDataset
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    data = CocoDataset(
        ann_file='train.json',
        data_root=str(aerial),
        data_prefix=dict(img=''),
        metainfo=dict(classes=CLASSES),
        pipeline=pipeline,
    )
    content = json.loads((aerial / 'train.json').read_text())
    assert len(data) == len(content['images'])
    for number in range(len(data)):
        sample = data[number]
        assert sample['inputs'].shape == (3, 320, 320)
        own = [entry for entry in content['annotations'] if entry['image_id'] == content['images'][number]['id']]
        objects = [entry for entry in own if not entry['iscrowd']]
        truth = sample['data_samples'].gt_instances
        assert truth.labels.tolist() == [entry['category_id'] - 1 for entry in objects]
        boxes = np.array([entry['bbox'] for entry in objects], dtype=float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        assert np.asarray(truth.bboxes.tensor).reshape(-1, 4) == pytest.approx(boxes)
        assert len(sample['data_samples'].ignored_instances.labels) == len(own) - len(objects)
