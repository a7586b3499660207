"""ChannelWise, FeatureMimic and Logits beside their functions: what the module adds."""

from __future__ import annotations

import pytest
import torch
from helpers.features import anchor_logits, bird_map, points, row_logits, values, voxels

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Logits as LogitsFeature
from pointkd.distill.functional import channel_wise, confident, feature_mimic, logit_kl, sigmoid_kl
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.channel_wise import ChannelWise
from pointkd.distill.methods.feature_mimic import FeatureMimic
from pointkd.distill.methods.logits import Logits
from pointkd.distill.registry import METHODS, build_strict

NOTHING = Context()


def test_channel_wise_uses_its_temperature():
    student, teacher = bird_map(4, 1), bird_map(4, 2)
    loss = ChannelWise(tau=3.0)(student, teacher, NOTHING).loss
    assert torch.equal(loss, channel_wise(student.values, teacher.values, 3.0))


def test_mimic_averages_samples_not_voxels():
    student, teacher = voxels(4, 1), voxels(4, 2)  # 9, 0 and 6 voxels
    parts = [
        feature_mimic(student.values[:9], teacher.values[:9]),
        feature_mimic(student.values[9:], teacher.values[9:]),
    ]
    loss = FeatureMimic()(student, teacher, NOTHING).loss
    assert loss.item() == pytest.approx(((parts[0] + parts[1]) / 3).item())
    for maker in (bird_map, points):
        loss = FeatureMimic()(maker(4, 1), maker(4, 2), NOTHING).loss
        assert torch.equal(loss, feature_mimic(maker(4, 1).values, maker(4, 2).values))


def test_softmax_logits_are_rows():
    student, teacher = row_logits(5, 1), row_logits(5, 2)
    loss = Logits(tau=4.0)(student, teacher, NOTHING).loss
    assert loss.item() == pytest.approx(logit_kl(student.values, teacher.values, 4.0).item())


@pytest.mark.parametrize('settings', [{}, dict(threshold=0.5), dict(fraction=0.1, threshold=0.0), dict(soft=False)])
def test_sigmoid_logits_look_at_the_anchors_that_the_teacher_is_sure_about(settings):
    student, teacher = anchor_logits(3, 1), anchor_logits(3, 2)
    total = 0.0
    for sample in range(3):
        # two anchors a cell, class index fastest: anchor a of a cell has the channels 3a, 3a + 1, 3a + 2
        ours, theirs = (
            torch.cat([side.values[sample, 3 * a : 3 * a + 3].flatten(1).t() for a in range(2)])
            for side in (student, teacher)
        )
        confidence = theirs.sigmoid().amax(1)
        keep = confident(confidence, threshold=settings.get('threshold', 0.1), fraction=settings.get('fraction', 1.0))
        weights = keep.double() * (confidence if settings.get('soft', True) else 1)
        total += sigmoid_kl(ours, theirs, 1.0, weights).item()
    term = Logits(**settings)(student, teacher, NOTHING)
    assert term.loss.item() == pytest.approx(total / 3)
    assert 0 < term.scalars['anchors'].item() <= 40


def test_an_unsure_teacher_teaches_nothing():
    student = anchor_logits(3, 1)
    student = student.with_values(student.values.requires_grad_())
    teacher = student.with_values(torch.full_like(student.values, -9.0).detach())
    loss = Logits()(student, teacher, NOTHING).loss
    loss.backward()
    assert loss.item() == 0
    assert student.values.grad.abs().sum() == 0


def test_bad_logits():
    with pytest.raises(ConfigError, match='same classes and anchors'):
        Logits()(anchor_logits(3, 1), anchor_logits(4, 2), NOTHING)
    one, other = LogitsFeature(values((1, 6, 2, 2), 1), 3), LogitsFeature(values((1, 6, 2, 2), 2), 2)
    with pytest.raises(ConfigError, match='same classes and anchors'):
        Logits()(one, other, NOTHING)
    with pytest.raises(ConfigError, match='threshold, soft: only for sigmoid'):
        Logits(threshold=0.2, soft=True)(row_logits(3, 1), row_logits(3, 2), NOTHING)
    with pytest.raises(ConfigError, match='class scores'):
        Logits()(bird_map(3, 1), bird_map(3, 2), NOTHING)


@pytest.mark.parametrize(
    ('block', 'words'),
    [
        (dict(type='ChannelWise', tau=0), 'tau'),
        (dict(type='ChannelWise', temperature=1), "no setting 'temperature'"),
        (dict(type='Logits', fraction=2.0), 'fraction'),
        (dict(type='TeacherInit', selection='frist'), "did you mean 'first'"),
    ],
)
def test_bad_settings(block, words):
    with pytest.raises(ConfigError, match=words):
        build_strict(METHODS, block, 'distill.methods[0]', widths=Widths(4, 4))
