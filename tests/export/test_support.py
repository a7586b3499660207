import pytest
from helpers.small_pillars import write_small_net

from pointkd.core.errors import ExportError
from pointkd.export.exporter import export
from pointkd.export.support import check_exportable
from pointkd.io.build import build_model
from pointkd.io.config import load_config


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'voxel_encoder__type': 'DynamicPillarFeatureNet'}, 'voxel_encoder is DynamicPillarFeatureNet'),
        ({'data_preprocessor__voxel_type': 'dynamic'}, "voxel_type 'dynamic'"),
        ({'bbox_head__anchor_generator__scales': [1, 2]}, '2 levels'),
        ({'bbox_head__loss_cls__use_sigmoid': False, 'bbox_head__loss_cls__type': 'mmdet.CrossEntropyLoss'}, 'sigmoid'),
        ({'bbox_head__use_direction_classifier': False}, 'use_direction_classifier'),
    ],
)
def test_what_can_not_be_exported_says_why(tmp_path, changes, reason):
    net = write_small_net(tmp_path, **changes)
    with pytest.raises(ExportError, match=reason):
        check_exportable(build_model(load_config(net.config)))


@pytest.mark.parametrize(
    ('config', 'reason'),
    [
        ('second/second_hv_secfpn_8xb6-80e_kitti-3d-3class.py', 'sparse convolutions'),
        ('centerpoint/centerpoint_pillar02_second_secfpn_8xb4-cyclic-20e_nus-3d.py', 'CenterPoint can not be exported'),
    ],
)
def test_other_detectors_say_why(config, reason):
    with pytest.raises(ExportError, match=reason):
        check_exportable(build_model(load_config(f'mmdet3d::{config}', pretrained=False)))


def test_the_small_net_can_be_exported(small_net):
    check_exportable(build_model(load_config(small_net.config)))


def test_an_unknown_target_is_refused(small_net, tmp_path):
    with pytest.raises(ValueError, match="'onnx' or 'tensorrt'"):
        export(small_net.config, small_net.checkpoint, tmp_path, target='ncnn')
