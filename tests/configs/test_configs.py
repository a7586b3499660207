"""Every config of the repository: it loads, builds, fits together, and has the published size."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers.configs import CONFIGS, LIDAR, NAMES, config, differences

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.io.build import build_model
from pointkd.io.config import load_config

PARAMETERS = {  # PointDistiller's tables: 4.8, 1.3 (by its own config 1.22) and 0.3 M; 5.3 and 1.4 M
    'pointpillars/pointpillars_kitti-3class.py': 4_834_888,
    'pointpillars/pointpillars-4x_kitti-3class.py': 1_217_352,
    'pointpillars/pointpillars-16x_kitti-3class.py': 308_680,
    'second/second_kitti-3class.py': 5_325_576,
    'second/second-4x_kitti-3class.py': 1_342_824,
    'pointpillars/pointpillars_kitti-mini.py': 1_217_352,
    'pointpillars/pointpillars-4x_kitti-mini.py': 308_680,
    'pointpillars/pointpillars_astyx.py': 837_908,
    'pointpillars/pointpillars-4x_astyx.py': 211_092,
    'demo/teacher.py': 847_944,
    'demo/student.py': 216_136,
}
STOCK = {
    'pointpillars/pointpillars_kitti-3class.py': 'pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py',
    'second/second_kitti-3class.py': 'second/second_hv_secfpn_8xb6-80e_kitti-3d-3class.py',
}
WIDTHS = ('channels', 'base_channels')


def levels(path: Path) -> int:
    """Return how many levels of `_base_` lie below a config file."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            return 1 + max(levels(path.parent / base) for base in ast.literal_eval(node.value))
    return 0


@pytest.mark.parametrize('name', NAMES)
def test_has_at_most_two_levels_of_bases(name: str) -> None:
    assert levels(CONFIGS / name) <= 2


@pytest.mark.parametrize(('name', 'count'), PARAMETERS.items())
def test_builds_with_the_published_number_of_parameters(name: str, count: int) -> None:
    network = build_model(config(name))
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize('name', [name for name in LIDAR if name not in PARAMETERS])
def test_any_other_builds(name: str) -> None:
    build_model(config(name))


@pytest.mark.parametrize('name', STOCK)
def test_teachers_are_the_stock_nets_with_the_stock_schedule(name: str) -> None:
    ours, stock = config(name), load_config(f'mmdet3d::{STOCK[name]}')
    for block in ('model', 'optim_wrapper', 'train_cfg', 'auto_scale_lr'):
        assert ours[block] == stock[block], block
    for one, other in zip(ours.param_scheduler, stock.param_scheduler, strict=True):
        assert one == {'by_epoch': True, **other}


def test_pointpillars_on_kitti_has_the_published_training() -> None:
    cfg = config('pointpillars/pointpillars-4x_kitti-3class.py')
    assert cfg.optim_wrapper.clip_grad.max_norm == 35
    assert tuple(cfg.optim_wrapper.optimizer.betas) == (0.95, 0.99)
    rates = [entry.eta_min for entry in cfg.param_scheduler if entry.type == 'CosineAnnealingLR']
    assert rates == pytest.approx([1e-2, 1e-7])
    assert cfg.train_cfg.max_epochs * cfg.train_dataloader.dataset.times == 160
    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.dataset.pipeline}
    assert set(pipeline['ObjectSample'].db_sampler.sample_groups.values()) == {15}
    assert set(pipeline['ObjectSample'].db_sampler.prepare.filter_by_min_points.values()) == {5}
    assert 'ObjectNoise' not in pipeline


@pytest.mark.parametrize('name', LIDAR)
def test_range_grid_and_widths_fit_together(name: str) -> None:
    cfg = config(name)
    model, layer = cfg.model, cfg.model.data_preprocessor.voxel_layer
    limits, size = layer.point_cloud_range, layer.voxel_size
    cells = [round((limits[axis + 3] - limits[axis]) / size[axis]) for axis in range(3)]
    for axis in range(3):
        assert cells[axis] * size[axis] == pytest.approx(limits[axis + 3] - limits[axis])
    if model.middle_encoder.type == 'PointPillarsScatter':
        assert list(model.middle_encoder.output_shape) == [cells[1], cells[0]]
        assert model.voxel_encoder.point_cloud_range == limits
        assert model.voxel_encoder.voxel_size == size
        assert model.middle_encoder.in_channels == model.voxel_encoder.feat_channels[-1] == model.backbone.in_channels
    else:
        assert list(model.middle_encoder.sparse_shape) == [cells[2] + 1, cells[1], cells[0]]
    assert model.neck.in_channels == model.backbone.out_channels
    assert model.bbox_head.in_channels == sum(model.neck.out_channels)
    for area in model.bbox_head.anchor_generator.ranges:
        assert [*area[:2], *area[3:5]] == [*limits[:2], *limits[3:5]]
    classes = cfg.class_names
    assert model.bbox_head.num_classes == len(classes) == len(model.train_cfg.assigner)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = loader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        assert list(dataset.metainfo.classes) == list(classes)
        filters = [step.point_cloud_range for step in dataset.pipeline if step.type.endswith('RangeFilter')]
        assert filters
        assert all(area == limits for area in filters)


@pytest.mark.parametrize('name', [name for name in LIDAR if '-4x' in name or '-16x' in name or 'student' in name])
def test_students_differ_from_their_teacher_in_widths_only(name: str) -> None:
    teacher = name.replace('-4x', '').replace('-16x', '').replace('student', 'teacher')
    changed = differences(config(teacher)._cfg_dict.to_dict(), config(name)._cfg_dict.to_dict())
    assert changed
    assert all(path.startswith('model.') and path.endswith(WIDTHS) for path in changed), changed
