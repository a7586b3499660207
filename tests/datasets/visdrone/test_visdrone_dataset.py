"""The data set class: what is to be ignored reaches mmdet's assigners as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.visdrone_frames import ROWS, write_image

import pointkd.engine  # noqa: F401  registers
from pointkd.core.visdrone import CLASSES
from pointkd.datasets.visdrone.prepare import prepare
from pointkd.datasets.visdrone.slices import Slicing

from mmdet.models.task_modules.assigners import MaxIoUAssigner  # isort: skip
from mmdet.registry import DATASETS  # isort: skip
from mmengine.registry import DefaultScope, init_default_scope  # isort: skip
from mmengine.structures import InstanceData  # isort: skip

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape')),
]


@pytest.fixture(autouse=True)
def scope() -> Any:
    before = DefaultScope.get_current_instance()
    init_default_scope('mmdet')
    yield
    if before is not None:
        init_default_scope(before.scope_name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_image(tmp_path, 'a', (*ROWS, '60,5,10,10,0,4,0,0', '70,50,9,0.5,1,4,0,0'))
    write_image(tmp_path, 'b', ROWS[2:])
    prepare(tmp_path, slicing=Slicing(64))
    return tmp_path


def build(root: Path, name: str = 'visdrone_all.json', **settings: Any) -> Any:
    block = dict(
        type='VisDroneDataset', data_root=str(root), ann_file=name, data_prefix=dict(img=''), pipeline=PIPELINE
    )
    # serialising collects garbage in the whole process, which takes seconds
    return DATASETS.build({**block, 'serialize_data': False, **settings})


def test_instances(root: Path) -> None:
    dataset = build(root)
    assert dataset.metainfo['classes'] == CLASSES
    assert len(dataset.metainfo['palette']) == len(CLASSES)
    sample = dataset[0]['data_samples']
    assert dataset[0]['inputs'].shape == (3, 90, 120)
    assert sample.gt_instances.bboxes.tensor.tolist() == [[10, 20, 22, 29], [50, 30, 58, 46]]
    assert [CLASSES[label] for label in sample.gt_instances.labels] == ['car', 'pedestrian']
    ignored = sample.ignored_instances.bboxes.tensor.tolist()
    assert ignored == [[0, 0, 30, 15], [90, 60, 110, 80], [60, 5, 70, 15]]


def test_stock_data_set_leaves_out_what_is_ignored(root: Path) -> None:
    sample = build(root, type='CocoDataset', metainfo=dict(classes=CLASSES))[0]['data_samples']
    assert len(sample.gt_instances) == 2
    assert len(sample.ignored_instances) == 0


def test_some_classes(root: Path) -> None:
    sample = build(root, metainfo=dict(classes=('pedestrian',)))[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [0]
    assert len(sample.ignored_instances) == 3


def test_images_with_ignored_instances_only_are_filtered_where_asked(root: Path) -> None:
    assert len(build(root)) == 2
    assert len(build(root, filter_cfg=dict(filter_empty_gt=True))) == 1
    assert len(build(root, filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 2
    slices = build(root, 'visdrone_all_slices.json', filter_cfg=dict(filter_empty_gt=True))
    assert 0 < len(slices) < len(build(root, 'visdrone_all_slices.json')) == 12
    assert all(len(slices[number]['data_samples'].gt_instances) for number in range(len(slices)))


def test_slices_load(root: Path) -> None:
    whole, slices = build(root), build(root, 'visdrone_all_slices.json')
    shapes = {tuple(slices[number]['inputs'].shape) for number in range(len(slices))}
    assert shapes == {(3, 64, 64)}
    assert Path(slices[0]['data_samples'].img_path).is_file()
    assert whole[0]['inputs'].dtype == slices[0]['inputs'].dtype == torch.uint8


def test_ignored_regions_reach_the_assigner(root: Path) -> None:
    sample = build(root)[0]['data_samples']
    priors = torch.tensor([[10.0, 20, 22, 29], [2, 2, 20, 14], [100, 5, 110, 20]])  # on a car, in a region, elsewhere
    assigner = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.4, match_low_quality=False, ignore_iof_thr=0.5)
    found = assigner.assign(
        InstanceData(priors=priors),
        InstanceData(bboxes=sample.gt_instances.bboxes.tensor, labels=sample.gt_instances.labels),
        InstanceData(bboxes=sample.ignored_instances.bboxes.tensor),
    )
    np.testing.assert_array_equal(found.gt_inds.numpy(), [1, -1, 0])  # first object, neither, background
