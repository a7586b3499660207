"""Building networks from configs, and the made-up batches that fit them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.nets import pillars_config, segmentor_config
from mmengine.config import Config

from pointkd.core.errors import CheckpointError, ConfigError
from pointkd.io.build import build_model, prepare
from pointkd.io.checkpoints import save_checkpoint
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch

STOCK = [
    'mmdet3d::pointpillars/pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class.py',
    'mmdet3d::second/second_hv_secfpn_8xb6-80e_kitti-3d-3class.py',
    'mmdet3d::centerpoint/centerpoint_pillar02_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
    'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
]


def test_model_block_and_whole_config_give_the_same_net(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = build_model(Config(dict(default_scope='mmdet3d', model=pillars_config())))
    save_checkpoint(tmp_path / 'net.pth', {'state_dict': first.state_dict()})
    second = build_model(pillars_config(), tmp_path / 'net.pth')
    assert not second.training
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(type='mmdet3d.VoxelNets'), r"no model of type 'mmdet3d\.VoxelNets' in mmdet3d"),
        (dict(backbone=dict(type='SECNOD')), r"no model of type 'SECNOD' in mmdet3d: did you mean 'SECOND'"),
        (dict(nec=dict(type='SECONDFPN')), r"VoxelNet has no setting 'nec': did you mean 'neck'"),
    ],
)
def test_wrong_model_is_named(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model({**pillars_config(), **change})


def test_config_without_a_model() -> None:
    with pytest.raises(ConfigError, match='no `model`'):
        build_model(Config(dict(train_cfg=dict())))


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / 'net.pth', {'state_dict': build_model(pillars_config(16)).state_dict()})
    with pytest.raises(CheckpointError, match=r'does not belong to this VoxelNet: .*misshapen'):
        build_model(pillars_config(8), tmp_path / 'net.pth')


def test_prepare_lets_the_ground_truth_sampler_run() -> None:
    prepare()
    prepare()
    assert np.array([1], dtype=np.long).dtype == np.int64


@pytest.mark.parametrize('config', [pillars_config(), segmentor_config()], ids=['points', 'images'])
def test_batch_is_a_function_of_its_seed(config: dict) -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    first, again, other = (dummy_batch(config, 2, seed) for seed in (0, 0, 1))
    tensors = [
        batch['inputs']['points'] if isinstance(batch['inputs'], dict) else batch['inputs']
        for batch in (first, again, other)
    ]
    assert len(tensors[0]) == len(first['data_samples']) == 2
    assert all(torch.equal(a, b) for a, b in zip(tensors[0], tensors[1], strict=True))
    assert not torch.equal(tensors[0][0], tensors[2][0])
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert torch.equal(states[2], torch.get_rng_state())


def test_batch_of_an_unknown_kind() -> None:
    with pytest.raises(ConfigError, match='no made-up batch for type Other; known: Det3DDataPreprocessor'):
        dummy_batch(dict(type='Net', data_preprocessor=dict(type='Other')))


@pytest.mark.slow
@pytest.mark.parametrize('name', STOCK)
def test_stock_nets_train_and_predict_on_made_up_batches(name: str) -> None:
    config = load_config(name, pretrained=False)
    network = build_model(config).train()
    network.init_weights()
    batch = network.data_preprocessor(dummy_batch(config, 2), True)
    loss, _ = network.parse_losses(network(**batch, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    network.eval()
    with torch.no_grad():
        assert len(network.test_step(dummy_batch(config))) == 1
