"""Every registered method keeps exactly what its contract declares."""

from __future__ import annotations

import pytest
import torch
from helpers.features import (
    GRID,
    MAKERS,
    annotations,
    box_sides,
    label_samples,
    pixel_logits,
    row_logits,
    sample_of,
    samples_in,
    shuffled,
    values,
)

from pointkd.distill.features import Logits, Map, Voxels
from pointkd.distill.methods.base import Context, Contract, Widths
from pointkd.distill.registry import METHODS, build_strict

METHODS.import_from_location()
SETTINGS = {
    'BoundaryPrivileged': [
        {},
        dict(published=True),
        dict(published=True, n_c='sum', tau=1.0, kernel=3),
        dict(over='mean', kernel=5, ignore_is_class=True),
        dict(resolution='logits', kernel=3),
        dict(resolution='full', kernel=3, edge=1.0, body=0.0),
    ],
    'LocalGraph': [
        {},
        dict(published=True),
        dict(samples=4, neighbors=3, neighbors_in='space', pooling='max', edge='neighbor_centre'),
        dict(samples=3, score='channel_max', tau=float('inf'), pooling='mean', edge='difference_centre'),
        dict(samples=5, neighbors=2, score='confidence', confidence='bbox_head.conv_cls', tau=0.1),
        dict(projection='frozen', aggregator='conv', width=6, neighbors=4),
        dict(projection='frozen', width=6, neighbors=4),
        dict(projection='trained', aggregator='linear', width=6),
        dict(projection='trained', aggregator='conv', width=6),
    ],
    'CrossImage': [
        dict(classes=4, pool=1),
        dict(classes=4, batch=0.0, pixel_memory=20, region_memory=2, pixel_keys=30, region_keys=3, region=1.0),
        dict(classes=4, pixel=0.0, region=0.0),
    ],
    'DIST': [{}, dict(tau=2.0, beta=0.0), dict(gamma=0.0, beta=2.0), dict(per_image=True)],
    'IntraClassVariation': [dict(classes=4)],
    'Logits': [{}, dict(tau=3.0)],
    'PKD': [{}, dict(statistics='sample')],
    'FGD': [dict(lambda_=1e-3), dict(alpha=1.0, beta=0.5, gamma=0.0, lambda_=0.0)],
    'LD': [dict(threshold=0.5), dict(region='boxes', scale=2.0), dict(region='boxes', scale=2.0, ring=1.0, tau=1.0)],
    'MGD': [{}, dict(hidden=0.3, seed=2)],
    'PairWise': [{}, dict(pool=None), dict(pool=2)],
}
SOFTMAX_ONLY = {'DIST'}  # methods that take logits of pixels and of regions, not of anchors
PIXELS_ONLY = {'BoundaryPrivileged'}  # of pixels alone
WIDTH = 4


def cases(*kinds):
    """Every method with every variant of its settings on every kind of feature it takes (or of some kinds)."""
    for name, kind in sorted(METHODS.module_dict.items()):
        if not kind.taps:
            continue
        for settings in SETTINGS.get(name, [{}]):
            for feature in kind.contract.features if not kinds else set(kinds) & set(kind.contract.features):
                for maker in makers(name, settings, feature):
                    words = ', '.join(f'{key}={value}' for key, value in settings.items())
                    yield pytest.param(name, settings, maker, id=f'{name}({words}) on {maker.__name__}')


def makers(name, settings, feature):
    """What makes features of a kind that a method takes."""
    if name in PIXELS_ONLY or settings.get('per_image'):
        return (pixel_logits,)
    return (row_logits, pixel_logits) if name in SOFTMAX_ONLY else MAKERS[feature]


def build(name, settings):
    """Build a method for equal widths, in training mode, in float64."""
    torch.manual_seed(0)
    widths = Widths(WIDTH, WIDTH)
    return build_strict(METHODS, {'type': name, **settings}, 'test', widths=widths).double()


def context(maker, sample=slice(None), flip=False):
    """A context with what some settings ask for: labels, boxes, another feature."""
    confidence = Map(values((3, 2, 8, 8), 50)[sample], GRID)
    boxes = annotations(8.0) if maker is box_sides else annotations(GRID.cell[0], GRID.origin[:2])
    samples = label_samples(WIDTH, flip)
    for entry, annotated in zip(samples, boxes, strict=True):
        entry.gt_instances = annotated.gt_instances
    return Context(data_samples=samples[sample], extra={'confidence': confidence})


def leaf(feature):
    """The same feature with values that collect a gradient."""
    return feature.with_values(feature.values.detach().clone().requires_grad_())


def promise_is_broken(promise):
    """Whether a contract gives a reason why not; then the promise must really fail."""
    assert promise is True or (isinstance(promise, str) and len(promise) > 10), 'a broken promise needs its reason'
    return promise is not True


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
def test_equal_features_give_zero_loss_and_gradient(name, settings, maker):
    method = build(name, settings)
    student = leaf(maker(WIDTH, 1))
    term = method(student, maker(WIDTH, 1), context(maker))
    if promise_is_broken(method.contract.zero_when_equal):
        assert term.loss.item() > 1e-4
        return
    term.loss.backward()
    assert term.loss.item() == pytest.approx(0, abs=1e-14)
    assert student.values.grad.abs().max() <= 1e-14
    different = method(maker(WIDTH, 2), maker(WIDTH, 1), context(maker))
    assert different.loss.item() > 1e-4


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
def test_a_batch_is_the_mean_of_its_samples(name, settings, maker):
    method = build(name, settings)
    student, teacher = maker(WIDTH, 1), maker(WIDTH, 2)
    whole = method(student, teacher, context(maker)).loss.item()
    alone = [
        method(
            sample_of(student, sample), sample_of(teacher, sample), context(maker, slice(sample, sample + 1))
        ).loss.item()
        for sample in range(samples_in(student))
    ]
    same = whole == pytest.approx(sum(alone) / len(alone), rel=1e-9)
    assert same != promise_is_broken(method.contract.per_sample)


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
def test_the_order_of_elements_does_not_matter(name, settings, maker):
    method = build(name, settings)
    student, teacher = maker(WIDTH, 1), maker(WIDTH, 2)
    expected = method(student, teacher, context(maker)).loss.item()
    flipped = context(maker, flip=isinstance(student, Logits))  # as `shuffled` does with the pixels
    loss = build(name, settings)(shuffled(student, 5), shuffled(teacher, 5), flipped).loss
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
def test_no_gradient_reaches_the_teacher(name, settings, maker):
    method = build(name, settings)
    student, teacher = leaf(maker(WIDTH, 1)), leaf(maker(WIDTH, 2))
    method(student, teacher, context(maker)).loss.backward()
    assert teacher.values.grad is None
    assert student.values.grad.abs().sum() > 0


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases(Voxels))
def test_nothing_to_compare_is_zero_with_a_gradient_path(name, settings, maker):
    method = build(name, settings)
    student, teacher = leaf(maker(WIDTH, 1, sizes=(0, 0, 0))), maker(WIDTH, 2, sizes=(0, 0, 0))
    term = method(student, teacher, context(maker))
    term.loss.backward()
    assert term.loss.item() == 0
    assert student.values.grad.shape == (0, WIDTH)


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(name, settings, maker, dtype):
    method = build(name, settings).float()
    student, teacher = maker(WIDTH, 1), maker(WIDTH, 2)
    student = leaf(student.with_values((student.values * 500).to(dtype)))
    with torch.autocast('cpu', torch.bfloat16):
        term = method(student, teacher.with_values((teacher.values * 500).to(dtype)), context(maker))
    term.loss.backward()
    assert term.loss.isfinite()
    assert student.values.grad.isfinite().all()


@pytest.mark.parametrize(('name', 'settings', 'maker'), cases())
def test_what_is_reported(name, settings, maker):
    term = build(name, settings)(leaf(maker(WIDTH, 1)), maker(WIDTH, 2), context(maker))
    assert term.loss.shape == ()
    assert all(value.numel() == 1 and not value.requires_grad for value in term.scalars.values())
    ours, theirs = term.matched
    assert ours.shape == theirs.shape
    assert not ours.requires_grad
    assert not theirs.requires_grad


@pytest.mark.parametrize('name', sorted(METHODS.module_dict))
def test_every_method_declares_a_contract(name):
    kind = METHODS.module_dict[name]
    assert isinstance(kind.contract, Contract)
    assert not kind.taps or kind.contract.features
