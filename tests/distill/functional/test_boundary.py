"""Boundary-privileged losses: reference values, slow loops, no zero-logit artefact, gradients, formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.index_maps import map_a, map_b
from helpers.label_maps import labels_6x8, scores_3x4

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import boundary_body, boundary_edge, channel_wise, edge_mask, logit_kl, pooled_edges

FORMS = [dict(premask=True), dict(premask=False)]


def reference_mask():
    return pooled_edges(labels_6x8()[None], 3, (3, 4), 3, 255, True)


def random_case(seed, shape=(2, 3, 3, 4)):
    """Scores of both sides and a soft mask with zeros and ones in it."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(shape, dtype=torch.float64, generator=generator) for _ in range(2))
    return student, teacher, (torch.randint(0, 5, shape, generator=generator) / 4).double()


def divergence(theirs, ours, weights):
    """Sum of p_T log(p_T / p_S), p in proportion to weight times exponential, with plain floats."""
    kept = [(t, s, w) for t, s, w in zip(theirs, ours, weights, strict=True) if w > 0]
    sum_t = sum(w * math.exp(t) for t, _, w in kept)
    sum_s = sum(w * math.exp(s) for _, s, w in kept)
    return sum(w * math.exp(t) / sum_t * (t - s - math.log(sum_t) + math.log(sum_s)) for t, s, w in kept)


def slow_edge(student, teacher, mask, tau, n_c, premask, over):
    """The edge loss before α, pixel by pixel."""
    images = []
    for ours, theirs, marks in zip(student, teacher, mask, strict=True):
        classes = []
        for c in range(len(marks)):
            total = 0.0
            for y in range(marks.shape[1]):
                for x in range(marks.shape[2]):
                    factor = marks[:, y, x] if premask else torch.ones(len(marks))
                    rows = [(side[:, y, x] * factor / tau).tolist() for side in (theirs, ours)]
                    total += tau**2 * divergence(*rows, [1] * len(marks)) * float(marks[c, y, x])
            size = float(marks[c].sum() if n_c == 'sum' else (marks[c] > 0).sum())
            classes.append((total / max(1, size), size > 0))
        present = sum(found for _, found in classes)
        images.append(sum(value for value, _ in classes) / (max(1, present) if over == 'mean' else 1))
    return sum(images) / len(images)


def slow_body(student, teacher, mask, tau, premask):
    """The body loss, channel by channel."""
    total = 0.0
    for ours, theirs, marks in zip(student.flatten(0, 1), teacher.flatten(0, 1), mask.flatten(0, 1), strict=True):
        body = 1 - marks
        factor = body if premask else torch.ones_like(body)
        rows = [(side * factor / tau).flatten().tolist() for side in (theirs, ours)]
        weights = [1.0] * body.numel() if premask else body.flatten().tolist()
        total += tau**2 * divergence(*rows, weights)
    return total / (student.shape[0] * student.shape[1])


@pytest.mark.parametrize(
    ('tau', 'n_c', 'edge', 'body', 'total'),
    [
        (1.0, 'sum', 0.4828875110, 0.8807896319, 41.76016819),
        (4.0, 'sum', 0.6573917721, 0.6743128932, 46.35584647),
        (1.0, 'nonzero', 0.3457151025, 0.8807896319, 34.90154776),
        (4.0, 'nonzero', 0.4773987207, 0.6743128932, 37.35619390),
    ],
)
def test_reference_values(tau, n_c, edge, body, total):
    student, teacher = scores_3x4()
    losses = (
        boundary_edge(student, teacher, reference_mask(), tau, n_c),
        boundary_body(student, teacher, reference_mask(), tau),
    )
    assert losses[0].item() == pytest.approx(edge, abs=1e-9)
    assert losses[1].item() == pytest.approx(body, abs=1e-9)
    assert (20 * losses[1] + 50 * losses[0]).item() == pytest.approx(total, abs=1e-7)


@pytest.mark.parametrize('n_c', ['sum', 'nonzero'])
@pytest.mark.parametrize('over', ['sum', 'mean'])
@pytest.mark.parametrize('form', FORMS)
def test_edge_equals_the_slow_loop(n_c, over, form):
    student, teacher, mask = random_case(1)
    mask[0, 1] = 0  # a class without an edge
    loss = boundary_edge(student, teacher, mask, 1.7, n_c, alpha=3.0, over=over, **form)
    assert loss.item() == pytest.approx(
        3 * slow_edge(student, teacher, mask, 1.7, n_c, form['premask'], over), rel=1e-9
    )


@pytest.mark.parametrize('form', FORMS)
def test_body_equals_the_slow_loop(form):
    student, teacher, mask = random_case(2)
    loss = boundary_body(student, teacher, mask, 1.7, **form)
    assert loss.item() == pytest.approx(slow_body(student, teacher, mask, 1.7, form['premask']), rel=1e-9)


def test_without_edges_the_body_is_channel_wise_and_with_edges_alone_the_rest_is_pixel_wise():
    student, teacher, mask = random_case(3)
    for form in FORMS:
        body = boundary_body(student, teacher, mask * 0, 2.0, **form)
        assert body.item() == pytest.approx(channel_wise(student, teacher, 2.0).item(), rel=1e-12)
        edge = boundary_edge(student, teacher, mask * 0 + 1, 2.0, alpha=1.0, over='mean', **form)
        pixels = (side.movedim(1, -1) for side in (student, teacher))
        assert edge.item() == pytest.approx(logit_kl(*pixels, 2.0).item(), rel=1e-12)


def test_absent_classes_are_no_rivals_at_an_edge_in_the_clean_form():
    """Classes 0 and 1 meet; 17 others are far below on both sides. Published, they get a score of 0 there."""
    labels = torch.tensor([[[0, 0, 1, 1]]])
    mask = edge_mask(labels, 19, 3)
    teacher = torch.full((1, 19, 1, 4), -20.0, dtype=torch.float64)
    teacher[:, :2] = torch.tensor([[[1.0, 1.0, -1.0, -1.0]], [[-1.0, -1.0, 1.0, 1.0]]])
    student = teacher.clone()
    student[:, 2:] = 3.0  # a student that believes in the absent classes
    published, clean = (boundary_edge(student, teacher, mask, 1.0, **form) for form in FORMS)
    assert published.item() == pytest.approx(0, abs=1e-12)  # at the edge it is not even noticed
    assert clean.item() > 1


def test_edge_pixels_have_no_say_in_a_body_of_negative_scores_in_the_clean_form():
    teacher = torch.full((1, 1, 2, 4), -6.0, dtype=torch.float64)
    teacher[..., 2:] -= torch.arange(4.0).reshape(2, 2)
    mask = torch.zeros_like(teacher)
    mask[..., 1] = 1
    student = teacher.clone()
    student[..., 1] = 50.0  # what the student says at the edge
    assert boundary_body(student, teacher, mask, 1.0, premask=False).item() == pytest.approx(0, abs=1e-12)
    student[..., 3] -= 2.0  # what it says in the body counts fully; published, nearly all the mass is at the edge
    published, clean = (boundary_body(student, teacher, mask, 1.0, **form).item() for form in FORMS)
    assert clean > 20 * published


def test_ignored_cells_are_no_body_in_the_clean_form():
    student, teacher, mask = random_case(4)
    labelled = torch.ones(2, 1, 3, 4)
    labelled[..., 0] = 0
    mask = mask * labelled
    loss = boundary_body(student, teacher, mask, 1.0, premask=False, labelled=labelled)
    rest = boundary_body(student[..., 1:], teacher[..., 1:], mask[..., 1:], 1.0, premask=False)
    assert loss.item() == pytest.approx(rest.item(), rel=1e-12)
    with pytest.raises(ConfigError, match='labelled'):
        boundary_body(student, teacher, mask, 1.0, labelled=labelled)


@pytest.mark.parametrize('form', FORMS)
def test_gradients_reach_the_student_alone(form):
    student, teacher, mask = random_case(5, (1, 2, 2, 3))
    student, teacher = student.requires_grad_(), teacher.requires_grad_()
    mask[0, 0] = 1  # a class without a body
    for loss in (boundary_edge, boundary_body):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, teacher.detach(), mask, 2.0, **form), (student,))
    (boundary_edge(student, teacher, mask, **form) + boundary_body(student, teacher, mask, **form)).backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(form, dtype):
    student = (map_a() * 2e4).to(dtype).requires_grad_()
    mask = random_case(6, (2, 3, 4, 5))[2].to(dtype)
    mask[0, 0] = 1
    for loss in (boundary_edge, boundary_body):
        value = loss(student, (map_b() * 2e4).to(dtype), mask, 1.0, **form)
        value.backward()
        assert value.dtype == torch.float32
        assert value.isfinite()
        assert student.grad.isfinite().all()


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('shape', [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4)])
def test_empty_input_gives_zero_with_a_gradient_path(form, shape):
    student = torch.zeros(shape, requires_grad=True)
    for loss in (boundary_edge, boundary_body):
        value = loss(student, torch.zeros(shape), torch.zeros(shape), 1.0, **form)
        value.backward()
        assert value.item() == 0


@pytest.mark.parametrize('form', FORMS)
def test_no_edge_and_no_body_are_zero(form):
    student, teacher, mask = random_case(7)
    assert boundary_edge(student, teacher, mask * 0, **form).item() == 0
    assert boundary_body(student, teacher, mask * 0 + 1, **form).item() == pytest.approx(0, abs=1e-12)


def test_bad_input():
    student, teacher, mask = random_case(8)
    for loss in (boundary_edge, boundary_body):
        with pytest.raises(ShapeError, match='equal shapes'):
            loss(student, teacher[:, :2], mask)
        with pytest.raises(ShapeError, match='one value a score'):
            loss(student, teacher, mask[:, :1])
        with pytest.raises(ShapeError, match='N, C, H, W'):
            loss(student[0], teacher[0], mask[0])
        with pytest.raises(ConfigError, match='tau'):
            loss(student, teacher, mask, 0)
    with pytest.raises(ConfigError, match='n_c: no choice'):
        boundary_edge(student, teacher, mask, 1.0, 'total')
    with pytest.raises(ConfigError, match="did you mean 'mean'"):
        boundary_edge(student, teacher, mask, 1.0, over='man')
