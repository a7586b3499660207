import pytest
from helpers.small_pillars import write_small_net
from mmengine.config import Config

from pointkd.core.errors import ConfigError, ExportError
from pointkd.export.describe import (
    class_names,
    describe_anchors,
    describe_decoding,
    describe_voxels,
    point_columns,
    versions,
)
from pointkd.io.build import build_model
from pointkd.io.config import load_config


def built(folder, **changes):
    return build_model(load_config(write_small_net(folder, **changes).config))


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'align_corner': True},
        {'type': 'Anchor3DRangeGenerator'},
        {'size_per_range': False, 'ranges': [[0, -8, -1, 16, 8, 1]]},
        {'scales': [2]},
        {'ranges': [[0, -8, -0.6, 16, 8, -0.6]]},
        {'sizes': [[3.9, 1.6, 1.56]], 'ranges': [[1, -7, -2, 15, 7, 0]], 'rotations': [0, 0.7, 1.57]},
    ],
)
def test_anchors_are_those_of_the_head(tmp_path, changes):
    """`describe_anchors` compares every anchor, and raises where they differ."""
    model = built(tmp_path, **{f'bbox_head__anchor_generator__{key}': value for key, value in changes.items()})
    anchors = describe_anchors(model.bbox_head, 16, 12)
    assert anchors.per_cell == model.bbox_head.num_anchors


def test_a_changed_generator_is_noticed(tmp_path):
    model = built(tmp_path)
    generator = model.bbox_head.prior_generator
    original = generator.grid_anchors
    generator.grid_anchors = lambda *args, **kwargs: [level + 1 for level in original(*args, **kwargs)]
    with pytest.raises(ExportError, match='anchor_generator'):
        describe_anchors(model.bbox_head, 16, 16)


def test_constants_come_from_the_model(tmp_path):
    model = built(tmp_path, test_cfg__nms_pre=-1, test_cfg__use_rotate_nms=False)
    voxels, decoding = describe_voxels(model), describe_decoding(model.bbox_head)
    assert (voxels.max_points, voxels.max_pillars, voxels.columns, voxels.grid) == (8, 400, 4, (32, 32, 1))
    assert (decoding.max_candidates, decoding.nms_rotated, decoding.score_threshold) == (0, False, 0.3)
    assert {'pointkd', 'torch', 'mmdet3d'} <= set(versions())


def test_a_canvas_of_another_size_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='output_shape'):
        describe_voxels(built(tmp_path, middle_encoder__output_shape=[32, 16]))


def test_class_names_and_columns_are_found_where_stock_configs_keep_them():
    stock = load_config('mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py', pretrained=False)
    assert class_names(stock) == ('Pedestrian', 'Cyclist', 'Car')
    assert point_columns(stock) == (4, [0, 1, 2, 3])
    nested = Config(dict(test_dataloader=dict(dataset=dict(dataset=dict(metainfo=dict(classes=['a']))))))
    assert class_names(nested) == ('a',)
    with pytest.raises(ConfigError, match='no class names'):
        class_names(Config({}))
    assert point_columns(Config({})) == (4, [0, 1, 2, 3])
    five = dict(type='LoadPointsFromFile', load_dim=5, use_dim=[0, 1, 2, 4])
    assert point_columns(Config(dict(test_pipeline=[five]))) == (5, [0, 1, 2, 4])
