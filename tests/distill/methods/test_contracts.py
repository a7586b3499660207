"""Every registered method keeps exactly what its contract declares."""

from __future__ import annotations

import pytest
import torch
from helpers.features import GRID, MAKERS, annotations, box_sides, sample_of, samples_in, shuffled, values

from pointkd.distill.features import Map, Voxels
from pointkd.distill.methods.base import Context, Contract, Widths
from pointkd.distill.registry import METHODS, build_strict

METHODS.import_from_location()
SETTINGS = {
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
    'Logits': [{}, dict(tau=3.0)],
    'PKD': [{}, dict(statistics='sample')],
    'FGD': [dict(lambda_=1e-3), dict(alpha=1.0, beta=0.5, gamma=0.0, lambda_=0.0)],
    'LD': [dict(threshold=0.5), dict(region='boxes', scale=2.0), dict(region='boxes', scale=2.0, ring=1.0, tau=1.0)],
}
WIDTH = 4


def cases(*kinds):
    """Every method with every variant of its settings on every kind of feature it takes (or of some kinds)."""
    for name, kind in sorted(METHODS.module_dict.items()):
        if not kind.taps:
            continue
        for settings in SETTINGS.get(name, [{}]):
            for feature in kind.contract.features if not kinds else set(kinds) & set(kind.contract.features):
                for maker in MAKERS[feature]:
                    words = ', '.join(f'{key}={value}' for key, value in settings.items())
                    yield pytest.param(name, settings, maker, id=f'{name}({words}) on {maker.__name__}')


def build(name, settings):
    """Build a method for equal widths, in training mode, in float64."""
    torch.manual_seed(0)
    widths = Widths(WIDTH, WIDTH)
    return build_strict(METHODS, {'type': name, **settings}, 'test', widths=widths).double()


def context(maker, sample=slice(None)):
    """A context with what some settings ask for."""
    confidence = Map(values((3, 2, 8, 8), 50)[sample], GRID)
    corner = None if maker is box_sides else GRID.origin[:2]
    boxes = annotations(8.0) if corner is None else annotations(GRID.cell[0], corner)
    return Context(extra={'confidence': confidence}, data_samples=boxes[sample])


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
    assert method(shuffled(student, 5), shuffled(teacher, 5), context(maker)).loss.item() == pytest.approx(
        expected, rel=1e-9
    )


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
