"""Segmentation nets of every kind go through the Distiller."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.configs import CONFIGS
from helpers.segmentors import PAIRS, SIZE, distilled, narrow, segmentor, write_weights

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from pointkd.core.errors import ConfigError
from pointkd.distill.distiller import Distiller
from pointkd.distill.features import Logits
from pointkd.distill.preprocessing import PairedPreprocessor, small_frames
from pointkd.distill.reading import Reader
from pointkd.distill.taps import Tap, record
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.io.dummy import dummy_batch


@pytest.fixture(scope='module')
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder where the teachers' weights gather."""
    return tmp_path_factory.mktemp('teachers')


def build(config: Any, *methods: dict[str, Any]) -> Distiller:
    """Build the Distiller of a config, with other methods where they are given."""
    block = config.distill if not methods else {**config.distill, 'methods': list(methods)}
    torch.manual_seed(1)
    distiller = Distiller(config.model, block, config)
    distiller.init_weights()
    distiller.train().set_progress(500, 1000)
    return distiller


def losses_of(distiller: Distiller, batch: dict[str, Any]) -> dict[str, Any]:
    """Return the losses of a raw batch."""
    return distiller(**distiller.data_preprocessor(copy.deepcopy(batch), True), mode='loss')


@pytest.mark.parametrize('student', PAIRS)
def test_each_pair_trains_a_step(student: str, teachers: Path) -> None:
    config = distilled(student, teachers)
    distiller = build(config)
    losses = losses_of(distiller, dummy_batch(config, 2))
    total, log = distiller.parse_losses(losses)
    total.backward()
    auxiliary = {'aux.loss_ce'} if distiller.with_auxiliary_head else set()
    assert {'decode.loss_ce', 'loss_channel_wise'} | auxiliary <= log.keys()
    assert float(log['loss_channel_wise']) > 0
    assert all(torch.isfinite(weight.grad).all() for weight in distiller.parameters())
    build_model(config).load_state_dict(distiller.state_dict(), strict=True)


@pytest.mark.parametrize('student', PAIRS)
def test_maps_of_the_backbone_meet_through_connectors(student: str, teachers: Path) -> None:
    config = distilled(student, teachers)
    methods = [dict(type=kind, student='backbone[-1]') for kind in ('ChannelWise', 'FeatureMimic')]
    distiller = build(config, *methods, dict(type='Logits', student='decode_head'))
    losses = losses_of(distiller, dummy_batch(config, 2))
    for name in ('channel_wise', 'feature_mimic', 'logits'):
        assert torch.isfinite(losses[f'loss_{name}'])
        assert float(losses[f'loss_{name}']) > 0


def test_a_student_equal_to_its_teacher_has_nothing_to_learn(teachers: Path) -> None:
    config = distilled('pspnet-r18', teachers)
    weights = write_weights(config, teachers / 'itself.pth')
    config.distill.teacher = dict(config=config.filename, checkpoint=str(weights), options=narrow('pspnet-r18'))
    distiller = build(config, *config.distill.methods, dict(type='Logits', student='decode_head'))
    distiller.load_state_dict(torch.load(weights)['state_dict'])
    distiller.eval()
    losses = losses_of(distiller, dummy_batch(config, 2))
    assert float(losses['loss_channel_wise']) == pytest.approx(0, abs=1e-6)
    assert float(losses['loss_logits']) == pytest.approx(0, abs=1e-6)


def test_the_dry_run_stays_small(teachers: Path) -> None:
    config = distilled('pspnet-r18', teachers)
    config.model.data_preprocessor.size = (2048, 2048)
    distiller = build(config)
    sizes = []
    distiller.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape[2:])))
    distiller._dry_run([], config)
    assert sizes == [(64, 96)]
    assert distiller.data_preprocessor.student.size == (2048, 2048)


def test_frames_of_two_normalisations_are_padded_alike(teachers: Path) -> None:
    config = distilled('pspnet-r18', teachers)
    config.distill.teacher.options = [*config.distill.teacher.options, 'model.data_preprocessor.size=(128,128)']
    config.model.data_preprocessor.update(std=[1.0, 1.0, 1.0], size=(96, 128))
    distiller = build(config)
    assert isinstance(distiller.data_preprocessor, PairedPreprocessor)
    batch = distiller.data_preprocessor(dummy_batch(config, 2), True)
    ours, theirs = batch['inputs'], batch['teacher_batch']['inputs']
    assert ours.shape == theirs.shape == (2, 3, 96, 128)
    std = torch.tensor([58.395, 57.12, 57.375]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(ours[..., : SIZE[0], : SIZE[1]], (theirs * std)[..., : SIZE[0], : SIZE[1]])
    with small_frames(distiller.data_preprocessor):
        assert distiller.data_preprocessor(dummy_batch(config, 2), True)['inputs'].shape[2:] == SIZE
    assert torch.isfinite(losses_of(distiller, dummy_batch(config, 2))['loss_channel_wise'])


def test_the_camvid_pair_trains_a_step(teachers: Path) -> None:
    """Teacher and student have different normalisations."""
    folder = CONFIGS / 'segmentation'
    config = load_config(
        folder / 'pspnet-r18-4x_channel-wise_camvid.py', options=[f'model.data_preprocessor.size={SIZE}']
    )
    teacher = load_config(
        CONFIGS / 'segmentation' / 'pspnet-lite0_camvid.py', options=['model.backbone.imagenet=False']
    )
    config.distill.teacher.checkpoint = str(write_weights(teacher, teachers / 'lite0.pth'))
    distiller = build(config)
    assert isinstance(distiller.data_preprocessor, PairedPreprocessor)
    losses = losses_of(distiller, dummy_batch(config, 2))
    total, _ = distiller.parse_losses(losses)
    total.backward()
    assert float(losses['loss_channel_wise']) > 0
    assert all(torch.isfinite(weight.grad).all() for weight in distiller.parameters())


def test_one_channel_for_two_classes_is_a_sigmoid(teachers: Path) -> None:
    head = ['num_classes=2', 'loss_decode.use_sigmoid=True']
    binary = [f'model.decode_head.{setting}' for setting in head] + ['model.auxiliary_head.num_classes=2']
    binary += ['+model.decode_head.out_channels=1', '+model.decode_head.threshold=0.5']
    config = segmentor('pspnet-r18_cityscapes', *binary)
    network = build_model(config)
    tap = Tap.parse('decode_head', 'here')
    with torch.no_grad(), record(network, [tap], 'student') as seen:
        network(torch.zeros(1, 3, 64, 96), mode='tensor')
    (scores,) = Reader(network, config.model).read(seen, tap, 1, (Logits,))
    assert (scores.num_classes, scores.activation) == (1, 'sigmoid')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['model.decode_head.num_classes=7'], "head has 19 classes, the teacher's 7"),
        (['train_dataloader.dataset.type=ADE20KDataset'], 'class lists differ: the student learns .*road'),
        (['+train_dataloader.dataset.reduce_zero_label=True'], 'label maps differ: reduce_zero_label is False'),
        (
            ['+train_dataloader.dataset.metainfo.classes=[car,road]'],
            r"class lists differ: .* the teacher knows \['car', 'road'\]",
        ),
    ],
)
def test_a_teacher_of_other_labels_is_refused(change: list[str], message: str, teachers: Path) -> None:
    config = distilled('pspnet-r18', teachers)
    options = [*config.distill.teacher.options, *change]
    teacher = segmentor('pspnet-r101_cityscapes', *change)
    config.distill.teacher.checkpoint = str(write_weights(teacher, teachers / 'other.pth'))
    config.distill.teacher.options = options
    with pytest.raises(ConfigError, match=message):
        build(config)
    config.distill.teacher.allow_other_classes = True
    build(config, dict(type='ChannelWise', student='backbone[-1]'))
