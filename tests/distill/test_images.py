"""Detectors of mmdet as student and teacher: levels of a neck, heads, shared and own preprocessing, where cells lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.detectors import CLASSES, distilled, faster_rcnn, gfl, losses_of, photos, retinanet, write_detector
from helpers.nets import whole_config

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Grid, Map
from pointkd.distill.matching import match
from pointkd.distill.reading import image_grid
from pointkd.io.build import build_model

NECK = dict(type='FeatureMimic', student='neck')
NETS = {'retinanet': retinanet, 'faster_rcnn': faster_rcnn, 'gfl': gfl}


@pytest.fixture(scope='module')
def teachers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """`distill.teacher` of each net, of width 8."""
    return {name: write_detector(tmp_path_factory.mktemp(name), net(8)) for name, net in NETS.items()}


@pytest.mark.parametrize('net', NETS)
def test_a_step_reaches_the_student_and_the_connectors(net: str, teachers: dict[str, Any]) -> None:
    head = 'rpn_head' if net == 'faster_rcnn' else 'bbox_head'
    methods = [
        dict(type='ChannelWise', student='neck'),
        dict(type='Logits', student=head, threshold=0.0),
        dict(type='FeatureMimic', student='backbone[3]', share=0.1),
    ]
    model = distilled(NETS[net](4), teachers[net], *methods)
    total, log = model.parse_losses(losses_of(model, photos()))
    total.backward()
    assert {'loss_channel_wise', 'loss_logits', 'loss_feature_mimic'} <= log.keys()
    assert all(torch.isfinite(value).all() and value > 0 for name, value in log.items() if 'loss_' in name)
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert all(value.grad is not None and value.grad.isfinite().all() for value in trained.values())
    assert {name.partition('.')[0] for name in trained} >= {'adapters', 'backbone', 'neck', head}
    assert all(trained[name].grad.any() for name in trained if name.startswith('adapters.'))
    plain = build_model(whole_config(NETS[net](4), CLASSES, 'mmdet'))
    plain.load_state_dict(model.state_dict(), strict=True)


def test_equal_preprocessing_is_done_once_and_other_normalisation_twice(teachers: dict[str, Any]) -> None:
    model = distilled(retinanet(4), teachers['retinanet'], NECK)
    assert 'teacher_batch' not in model.data_preprocessor(photos(), True)
    other = retinanet(4)
    other['data_preprocessor']['mean'] = [0.0, 0.0, 0.0]
    data = distilled(other, teachers['retinanet'], NECK).data_preprocessor(photos(), True)
    assert not torch.equal(data['inputs'], data['teacher_batch']['inputs'])
    for ours, theirs in zip(data['data_samples'], data['teacher_batch']['data_samples'], strict=True):
        assert torch.equal(ours.gt_instances.bboxes, theirs.gt_instances.bboxes)


def test_the_same_net_with_other_padding_still_compares_the_same_pixels(tmp_path: Path) -> None:
    """The teacher's maps are larger (128 pixels against 96); cells are matched by their pixels, not by stretching."""
    model = distilled(retinanet(4, pad=32), write_detector(tmp_path, retinanet(4, pad=128)), NECK)
    model.load_state_dict(model.teacher.network.state_dict())
    for module in model.student.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    seen: list[Any] = []
    model.adapters.terms[0].methods[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    losses_of(model, photos())
    ours, theirs, _ = seen[0]
    assert ours.values.shape == theirs.values.shape == (2, 4, 12, 12)
    assert ours.grid == Grid((0.0, 0.0, 0.0), (8.0, 8.0, 1.0))
    apart = (ours.values - theirs.values)[:, :, :4, :4].abs()  # far from the padding, which both feel a little
    spread = theirs.values[:, :, :4, :4].std()
    assert apart.max() < 0.05 * spread


def test_levels_weigh_and_leave_out(teachers: dict[str, Any]) -> None:
    batch = photos()
    single = []
    for number in range(4):
        model = distilled(retinanet(8), teachers['retinanet'], {**NECK, 'student': f'neck[{number}]'})
        single.append(float(losses_of(model, batch)['loss_feature_mimic']))
    mean = losses_of(distilled(retinanet(8), teachers['retinanet'], NECK), batch)
    assert float(mean['loss_feature_mimic']) == pytest.approx(sum(single) / 4, rel=1e-6)
    model = distilled(retinanet(8), teachers['retinanet'], {**NECK, 'levels': [4, 2, 0, 0.5], 'weight': 10.0})
    losses = losses_of(model, batch)
    wanted = 4 * single[0] + 2 * single[1] + 0.5 * single[3]
    assert float(losses['loss_feature_mimic']) == pytest.approx(10 * wanted, rel=1e-6)
    assert float(losses['feature_mimic/level_3']) == pytest.approx(single[3], rel=1e-6)
    assert 'feature_mimic/level_2' not in losses
    narrow = distilled(retinanet(4), teachers['retinanet'], {**NECK, 'levels': [1, 0, 0, 0]})
    assert len(narrow.adapters.terms[0].connectors) == 1


@pytest.mark.parametrize(
    ('levels', 'message'),
    [
        ([1, 1], r'methods\[0\]\.levels: 2 weights for the 4 features of neck'),
        ([0, 0, 0, 0], 'not all 0'),
        ([1, 1, 1, -1], '>= 0'),
        (2.0, 'list of weights'),
        (['a', 1, 1, 1], 'list of weights'),
    ],
)
def test_bad_levels(levels: Any, message: str, teachers: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=message):
        distilled(retinanet(4), teachers['retinanet'], {**NECK, 'levels': levels})


@pytest.mark.parametrize(
    ('size', 'image', 'cell'),
    [
        ((8, 12), (64, 96), (8.0, 8.0)),
        ((2, 2), (96, 96), (64.0, 64.0)),  # 1.5 cells, rounded up
        ((1, 1), (60, 40), (64.0, 64.0)),
        ((13, 7), (100, 50), (8.0, 8.0)),
        ((6, 6), (96, 64), (64 / 6, 16.0)),  # pooled to a fixed size
        ((64, 96), (64, 96), (1.0, 1.0)),
        ((128, 64), (64, 32), (0.5, 0.5)),  # up-sampled beyond the input
    ],
)
def test_the_grid_of_an_image_map(size: tuple[int, int], image: tuple[int, int], cell: tuple[float, float]) -> None:
    assert image_grid(size, image) == Grid((0.0, 0.0, 0.0), (*cell, 1.0))


def test_maps_of_other_stride_are_read_at_the_same_pixels() -> None:
    """A ramp over x stays the same ramp on a map with half the cells and less padding."""
    x = (torch.arange(16) + 0.5) * 8
    teacher = Map(x.expand(1, 1, 16, 16), image_grid((16, 16), (128, 128)))
    student = Map(torch.zeros(1, 1, 6, 6), image_grid((6, 6), (96, 96)))
    _, read = match(student, teacher)
    assert torch.allclose(read.values[0, 0, 0], (torch.arange(6) + 0.5) * 16)
