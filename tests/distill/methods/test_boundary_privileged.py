"""BoundaryPrivileged as a method: settings, where labels come from, what is refused, a distilled segmentor."""

from __future__ import annotations

import copy
import logging
from types import SimpleNamespace

import pytest
import torch
from helpers.features import anchor_logits, label_samples, pixel_logits, row_logits, values
from helpers.label_maps import labels_6x8, scores_3x4
from helpers.nets import image_batch, segmentor_config, whole_config, write_teacher
from mmengine.structures import PixelData
from torch.nn.functional import interpolate

from pointkd.core.errors import ConfigError, DataError, ShapeError
from pointkd.distill.distiller import Distiller
from pointkd.distill.features import Logits
from pointkd.distill.functional import boundary_body, boundary_edge, edge_mask, nearest_labels
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.boundary import BoundaryPrivileged
from pointkd.distill.registry import METHODS, build_strict


def batch_of(*labels):
    """A context with label maps."""
    return Context(data_samples=[SimpleNamespace(gt_sem_seg=PixelData(data=entry[None])) for entry in labels])


def logits(*sides):
    """Features of class scores."""
    return [Logits(side, side.shape[1]) for side in sides]


@pytest.mark.parametrize(('n_c', 'tau', 'total'), [('sum', 1.0, 41.76016819), (None, 4.0, 37.35619390)])
def test_published_reference_values(n_c, tau, total):
    method = BoundaryPrivileged(published=True, kernel=3, tau=tau, n_c=n_c)
    term = method(*logits(*scores_3x4()), batch_of(labels_6x8()))
    assert term.loss.item() == pytest.approx(total, abs=1e-7)
    assert term.loss.item() == pytest.approx(20 * term.scalars['body'].item() + 50 * term.scalars['edge'].item())
    assert term.scalars['labelled'].item() == pytest.approx(46 / 48)


def test_the_clean_form_is_the_default():
    student, teacher = scores_3x4()
    term = BoundaryPrivileged(kernel=3, edge=1.0, body=2.0)(*logits(student, teacher), batch_of(labels_6x8()))
    fine = edge_mask(labels_6x8()[None], 3, 3)
    mask = torch.nn.functional.avg_pool2d(fine, 2)
    labelled = torch.nn.functional.avg_pool2d((labels_6x8() != 255).float()[None, None], 2)
    edge = boundary_edge(student, teacher, mask, premask=False)
    body = boundary_body(student, teacher, mask, premask=False, labelled=labelled)
    assert term.loss.item() == pytest.approx((edge + 2 * body).item())


def test_resolutions():
    student, teacher = scores_3x4()
    labels = labels_6x8()
    settings = dict(kernel=3, tau=2.0, edge=1.0, body=0.0)
    coarse = BoundaryPrivileged(resolution='logits', **settings)(*logits(student, teacher), batch_of(labels))
    mask = edge_mask(nearest_labels(labels[None], (3, 4)), 3, 3)
    assert coarse.loss.item() == pytest.approx(boundary_edge(student, teacher, mask, 2.0, premask=False).item())
    full = BoundaryPrivileged(resolution='full', **settings)(*logits(student, teacher), batch_of(labels))
    large = [interpolate(side, (6, 8), mode='bilinear') for side in (student, teacher)]
    expected = boundary_edge(*large, edge_mask(labels[None], 3, 3), 2.0, premask=False)
    assert full.loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize('published', [True, False])
def test_images_without_labels_are_said_once(published, caplog):
    method = BoundaryPrivileged(published=published, body=0.0)
    student, teacher = pixel_logits(3, 1, batch=1), pixel_logits(3, 2, batch=1)
    student = student.with_values(student.values.requires_grad_())
    nothing = batch_of(torch.full((8, 10), 255))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            term = method(student, teacher, nothing)
    assert term.loss.item() == 0
    term.loss.backward()
    assert term.scalars['labelled'].item() == 0
    assert [record.getMessage() for record in caplog.records] == [
        'labels term=boundary_privileged images=1 of=1: every pixel has the ignore label 255; said once'
    ]


def test_all_ignored_images_have_no_body_in_the_clean_form():
    nothing = batch_of(torch.full((8, 10), 255))
    assert BoundaryPrivileged()(pixel_logits(3, 1, 1), pixel_logits(3, 2, 1), nothing).loss.item() == 0


@pytest.mark.parametrize(
    ('student', 'teacher', 'labels', 'error', 'words'),
    [
        (pixel_logits(4, 1), pixel_logits(5, 2), label_samples(4), ConfigError, 'same classes in the same order'),
        (anchor_logits(4, 1), anchor_logits(4, 2), label_samples(4), ConfigError, 'class scores of pixels'),
        (row_logits(4, 1), row_logits(4, 2), label_samples(4), ConfigError, 'class scores of pixels'),
        (
            Logits(values((3, 4, 4, 5), 1), 4, 'sigmoid'),
            Logits(values((3, 4, 4, 5), 1), 4, 'sigmoid'),
            label_samples(4),
            ConfigError,
            'uses a sigmoid',
        ),
        (pixel_logits(3, 1), pixel_logits(3, 2), label_samples(4), DataError, r'expected 0\.\.2 or 255'),
        (pixel_logits(4, 1), pixel_logits(4, 2), label_samples(4)[:2], DataError, 'expected 3, one a sample'),
        (pixel_logits(4, 1), pixel_logits(4, 2), None, DataError, 'ground truth'),
        (Logits(values((3, 4, 4, 20), 1), 4),) * 2 + (label_samples(4), ShapeError, 'cover the same image'),
    ],
)
def test_bad_input(student, teacher, labels, error, words):
    with pytest.raises(error, match=words):
        BoundaryPrivileged()(student, teacher, Context(data_samples=labels))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(kernel=4), 'kernel: expected an odd'),
        (dict(tau=0), 'tau'),
        (dict(alpha=-1), 'alpha'),
        (dict(n_c='count'), 'n_c: no choice'),
        (dict(over='man'), "did you mean 'mean'"),
        (dict(resolution='label'), "did you mean 'labels'"),
        (dict(edge=0, body=0), 'one above it'),
        (dict(ignore=2.5), 'ignore: expected a label'),
        (dict(kernl=3), "did you mean 'kernel'"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ConfigError, match=words):
        build_strict(METHODS, dict(type='BoundaryPrivileged', **settings), 'distill.methods[0]', widths=Widths(3, 3))


def segmentor(tmp_path, *methods, classes=3):
    """A Distiller around a small segmentor, its teacher twice as wide."""
    import pointkd.engine  # noqa: F401 - prepares OpenMMLab

    teacher = segmentor_config(8)
    teacher['decode_head']['num_classes'] = classes
    block = write_teacher(tmp_path, teacher, classes=['road', 'wall', 'sky'], scope='mmseg')
    model = segmentor_config(4)
    built = Distiller(
        model, dict(teacher=block, methods=list(methods)), whole_config(model, ['road', 'wall', 'sky'], 'mmseg')
    )
    built.init_weights()
    return built.train()


TERM = dict(type='BoundaryPrivileged', student='decode_head.conv_seg', kernel=5)


def test_labels_behind_augmentation_and_padding_reach_the_method(tmp_path):
    model = segmentor(tmp_path, TERM)
    seen = []
    model.adapters.terms[0].methods[0].register_forward_hook(lambda _, inputs, term: seen.append((*inputs, term)))
    batch = image_batch(2)
    batch['inputs'][0] = batch['inputs'][0][:, :20]  # the preprocessor pads it back to 32 rows
    batch['data_samples'][0].gt_sem_seg = PixelData(data=batch['data_samples'][0].gt_sem_seg.data[:, :20])
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    losses = model(**data, mode='loss')
    losses['loss_boundary_privileged'].backward()
    student, _, context, term = seen[0]
    assert student.values.shape[1] == 3
    labels = [sample.gt_sem_seg.data for sample in context.data_samples]
    assert [tuple(entry.shape) for entry in labels] == [(1, 32, 32)] * 2
    assert (labels[0][:, 20:] == 255).all()
    assert term.scalars['labelled'].item() == pytest.approx((20 / 32 + 1) / 2)
    assert {'boundary_privileged/edge', 'boundary_privileged/body'} <= losses.keys()
    assert model.student.decode_head.conv_seg.weight.grad.abs().sum() > 0


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the student's head has 3 classes, the teacher's 4"):
        segmentor(tmp_path, TERM, classes=4)


def test_segmentation_methods_train_side_by_side(tmp_path):
    """Scores at the classifier, features before it at unequal widths; each term reaches the student."""
    feature = dict(student='decode_head.conv_cat', weight=1.0)
    model = segmentor(
        tmp_path,
        TERM,
        dict(type='ChannelWise', student='decode_head.conv_seg'),
        dict(type='ChannelWise', **feature),
        dict(type='Logits', student='decode_head.conv_seg'),
        dict(type='DIST', student='decode_head.conv_seg'),
        dict(type='PairWise', **feature),
        dict(type='IntraClassVariation', classes=3, **feature),
        dict(type='CrossImage', classes=3, **feature),
        dict(type='MGD', hidden=0.75, **feature),
    )
    data = model.data_preprocessor(image_batch(2), True)
    losses = model(**data, mode='loss')
    parameters = list(model.student.backbone.parameters())
    for term in model.adapters.terms:
        found = torch.autograd.grad(losses[f'loss_{term.name}'], parameters, retain_graph=True, allow_unused=True)
        assert sum(float(value.abs().sum()) for value in found if value is not None) > 0, term.name
