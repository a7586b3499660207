"""Parts of local graphs: reference values, slow loops, gradients, ties, number formats, empty input."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointkd.core.errors import ConfigError, ShapeError
from pointkd.distill.functional import (
    EDGE_FORMS,
    centre_weights,
    edge_errors,
    edge_features,
    effective_centres,
    graph_loss,
    knn,
    pool_edges,
    spatial_order,
    top_elements,
)

TEACHER = torch.tensor([[0, 0], [1, 0], [0, 2], [3, 3], [3, 4], [1.5, 0.5]], dtype=torch.float64)
STUDENT = torch.tensor([[0.2], [0.9], [-0.4], [1.1], [1.6], [0.7]], dtype=torch.float64)
CENTRES = torch.tensor([0, 3, 5])
NEIGHBOURS = torch.tensor([[0, 1, 5], [3, 4, 5], [5, 1, 0]])
WEIGHT_TEACHER = torch.tensor([[0.5, -0.25, 1, 0.75], [-1, 0.5, 0.25, 0.5]], dtype=torch.float64)
WEIGHT_STUDENT = torch.tensor([[1, 0.5], [-0.5, 2]], dtype=torch.float64)
COUNTS = [32, 32, 7, 1]
SCORES = [2, 1.5, 1, 0.25]


def test_reference_neighbours():
    expected = [[0, 1, 5], [1, 5, 0], [2, 0, 5], [3, 4, 5], [4, 3, 2], [5, 1, 0]]
    assert knn(TEACHER, 3).tolist() == expected
    assert knn(TEACHER, 3, CENTRES).tolist() == NEIGHBOURS.tolist()


def test_reference_edges():
    teacher = edge_features(TEACHER, CENTRES, NEIGHBOURS, 'neighbor_centre')
    assert teacher[0].tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1.5, 0.5, 0, 0]]
    assert teacher[1].tolist() == [[3, 3, 3, 3], [3, 4, 3, 3], [1.5, 0.5, 3, 3]]
    assert teacher[2].tolist() == [[1.5, 0.5, 1.5, 0.5], [1, 0, 1.5, 0.5], [0, 0, 1.5, 0.5]]
    student = edge_features(STUDENT, CENTRES, NEIGHBOURS, 'neighbor_centre')
    assert student.tolist() == [
        [[0.2, 0.2], [0.9, 0.2], [0.7, 0.2]],
        [[1.1, 1.1], [1.6, 1.1], [0.7, 1.1]],
        [[0.7, 0.7], [0.9, 0.7], [0.2, 0.7]],
    ]
    difference = edge_features(TEACHER, CENTRES, NEIGHBOURS, 'centre_difference')
    assert difference[1].tolist() == [[3, 3, 0, 0], [3, 3, 0, 1], [3, 3, -1.5, -2.5]]
    assert difference[2].tolist() == [[1.5, 0.5, 0, 0], [1.5, 0.5, -0.5, -0.5], [1.5, 0.5, -1.5, -0.5]]
    turned = edge_features(TEACHER, CENTRES, NEIGHBOURS, 'difference_centre')
    assert torch.equal(turned, torch.cat([-difference[..., 2:], difference[..., :2]], dim=-1))


@pytest.mark.parametrize(
    ('pooling', 'values'),
    [('none', [0.0771875, 9.1380208333, 1.2640625]), ('max', [0.1153125, 7.59125, 1.0090625])],
)
def test_reference_graph_features(pooling, values):
    teacher = (edge_features(TEACHER, CENTRES, NEIGHBOURS, 'neighbor_centre') @ WEIGHT_TEACHER.t()).relu()
    student = (edge_features(STUDENT, CENTRES, NEIGHBOURS, 'neighbor_centre') @ WEIGHT_STUDENT.t()).relu()
    assert teacher[1].tolist() == [[6, 0.75], [5.75, 1.25], [5.875, 1]]
    teacher, student = pool_edges(teacher, pooling), pool_edges(student, pooling)
    errors = [graph_loss(s[None], t[None], torch.ones(1)) for s, t in zip(student, teacher, strict=True)]
    assert torch.stack(errors).tolist() == pytest.approx(values, abs=1e-9)
    assert float(graph_loss(student, teacher, torch.ones(3))) == pytest.approx(sum(values) / 3, abs=1e-9)


@pytest.mark.parametrize(
    ('score', 'tau', 'weights'),
    [
        (COUNTS, 0.01, [2, 2, 0, 0]),
        (COUNTS, 1e-4, [2, 2, 0, 0]),
        (COUNTS, 4, [1.9976415877, 1.9976415877, 0.0038563555, 0.0008604692]),
        (COUNTS, 16, [1.6994699444, 1.6994699444, 0.3562282525, 0.2448318587]),
        (SCORES, 1, [1.8620378503, 1.1293830458, 0.6850054438, 0.3235736601]),
        (SCORES, 0.01, [4, 7.7e-22, 1.5e-43, 4e-76]),
        (COUNTS, math.inf, [1, 1, 1, 1]),
    ],
)
def test_reference_weights(score, tau, weights):
    score = torch.tensor(score) if score is COUNTS else torch.tensor(score, dtype=torch.float64)
    assert centre_weights(score, tau).tolist() == pytest.approx(weights, abs=1e-9)


@pytest.mark.parametrize(
    ('score', 'tau', 'value'), [(SCORES, 1, 0.2584542550), (COUNTS, 0.01, 0.25), (SCORES, math.inf, 0.375)]
)
def test_reference_weighted_error(score, tau, value):
    error = torch.tensor([0.1, 0.4, 0.2, 0.8], dtype=torch.float64)
    weights = centre_weights(torch.tensor(score, dtype=torch.float64), tau)
    loss = graph_loss(error.sqrt().reshape(4, 1, 1), torch.zeros(4, 1, 1, dtype=torch.float64), weights)
    assert float(loss) == pytest.approx(value, abs=1e-9)


def test_effective_centres():
    assert float(effective_centres(torch.ones(7))) == pytest.approx(7)
    assert float(effective_centres(centre_weights(torch.tensor(COUNTS), 0.01))) == pytest.approx(2)
    assert float(effective_centres(torch.zeros(0))) == 0


@pytest.mark.parametrize('form', EDGE_FORMS)
@pytest.mark.parametrize('pooling', ['none', 'max', 'mean'])
def test_equals_the_slow_loop(form, pooling):
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(9, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    centres = torch.tensor([4, 0, 7])
    neighbours = knn(teacher, 4, centres)
    weights = centre_weights(torch.rand(3, dtype=torch.float64, generator=generator), 0.5)
    total = 0.0
    for i, centre in enumerate(centres.tolist()):
        sides = []
        for features in (student, teacher):
            edges = []
            for neighbour in neighbours[i].tolist():
                f_i, f_j = features[centre].tolist(), features[neighbour].tolist()
                difference = [b - a for a, b in zip(f_i, f_j, strict=True)]
                edges.append(
                    {
                        'neighbor_centre': f_j + f_i,
                        'centre_difference': f_i + difference,
                        'difference_centre': [-value for value in difference] + f_i,
                    }[form]
                )
            pooled = {
                'none': edges,
                'max': [[max(column) for column in zip(*edges, strict=True)]],
                'mean': [[sum(column) / len(edges) for column in zip(*edges, strict=True)]],
            }
            sides.append([value for edge in pooled[pooling] for value in edge])
        squares = [(a - b) ** 2 for a, b in zip(*sides, strict=True)]
        total += float(weights[i]) * sum(squares) / len(squares)
    views = [pool_edges(edge_features(f, centres, neighbours, form), pooling) for f in (student, teacher)]
    assert float(graph_loss(*views, weights)) == pytest.approx(total / 3, rel=1e-12)


@pytest.mark.parametrize('form', EDGE_FORMS)
def test_gradients(form):
    weights = torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)
    teacher = edge_features(TEACHER[:, :1], CENTRES, NEIGHBOURS, form)

    def loss(student):
        return graph_loss(edge_features(student, CENTRES, NEIGHBOURS, form), teacher, weights)

    assert torch.autograd.gradcheck(loss, (STUDENT.clone().requires_grad_(),))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(EDGE_FORMS),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(0, 2**16),
)
def test_errors_without_edges_give_the_loss_of_edges(form, elements, graphs, count, width, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(elements, width, dtype=torch.float64, generator=generator) for _ in range(2))
    student.requires_grad_()
    centres = torch.randint(elements, (graphs,), generator=generator)
    neighbours = torch.randint(elements, (graphs, count), generator=generator)
    weights = torch.rand(graphs, dtype=torch.float64, generator=generator)
    ours = (edge_errors(student - teacher, centres, neighbours, form) * weights).mean()
    views = [edge_features(side, centres, neighbours, form) for side in (student, teacher)]
    expected = graph_loss(*views, weights)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.allclose(*(torch.autograd.grad(loss, student)[0] for loss in (ours, expected)), atol=1e-13)


@pytest.mark.parametrize('form', EDGE_FORMS)
def test_errors_without_edges_keep_small_differences_on_large_offsets(form):
    """All gaps are nearly one large vector: the differences between neighbours vanish beside it."""
    generator = torch.Generator().manual_seed(4)
    gap = 100 + torch.randn(40, 8, generator=generator) * 1e-3
    centres, neighbours = torch.arange(40), torch.randint(40, (40, 6), generator=generator)
    exact = edge_errors(gap.double(), centres, neighbours, form)
    assert torch.allclose(edge_errors(gap, centres, neighbours, form).double(), exact, rtol=1e-6)


@pytest.mark.parametrize('form', EDGE_FORMS)
def test_gradients_of_the_errors_without_edges(form):
    def errors(gap):
        return edge_errors(gap, CENTRES, NEIGHBOURS, form)

    assert torch.autograd.gradcheck(errors, (TEACHER.clone().requires_grad_(),))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_errors_without_edges_are_finite_in_half_formats(dtype):
    gap = torch.full((3, 4), 6e4, dtype=dtype, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        loss = edge_errors(gap, torch.tensor([0]), torch.tensor([[1, 2]]), 'centre_difference')
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert gap.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_formats(dtype):
    student = torch.full((3, 2, 4), 6e4, dtype=dtype, requires_grad=True)
    weights = centre_weights(torch.tensor([6e4, 1.0, 0.0]).to(dtype), 0.01)
    loss = graph_loss(student, -student.detach(), weights)
    loss.backward()
    assert weights.tolist() == [3, 0, 0]
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_ties_go_to_the_lower_index():
    assert top_elements(torch.tensor([1, 3, 3, 0, 3]), 2).tolist() == [1, 2]
    assert top_elements(torch.tensor([1.0, 2.0]), 5).tolist() == [1, 0]


def test_spatial_order_is_lexicographic():
    positions = torch.tensor([[1.0, 0, 0], [0, 2, 1], [0, 2, -1], [0, 1, 5], [1, 0, 0]])
    assert spatial_order(positions).tolist() == [3, 2, 1, 0, 4]
    assert spatial_order(torch.zeros(0, 3)).tolist() == []


def test_empty_graphs_give_zero_with_a_gradient_path():
    student = torch.zeros(0, 3, requires_grad=True)
    nobody = torch.zeros(0, dtype=torch.long)
    errors = edge_errors(student, nobody, torch.zeros(0, 4, dtype=torch.long), 'centre_difference')
    errors.sum().backward()
    assert errors.shape == (0,)
    for pooling in ('none', 'max', 'mean'):
        edges = edge_features(student, nobody, torch.zeros(0, 4, dtype=torch.long), 'neighbor_centre')
        pooled = pool_edges(edges, pooling)
        loss = graph_loss(pooled, pooled.detach(), centre_weights(torch.zeros(0), 1.0))
        loss.backward()
        assert loss.item() == 0


def test_bad_input():
    with pytest.raises(ConfigError, match="did you mean 'neighbor_centre'"):
        edge_features(TEACHER, CENTRES, NEIGHBOURS, 'neighbour_centre')
    with pytest.raises(ShapeError, match='centres'):
        edge_features(TEACHER, CENTRES[:2], NEIGHBOURS, 'neighbor_centre')
    with pytest.raises(ConfigError, match='pooling'):
        pool_edges(torch.zeros(2, 2, 2), 'sum')
    with pytest.raises(ConfigError, match='tau'):
        centre_weights(torch.ones(3), 0.0)
    with pytest.raises(ConfigError, match="did you mean 'centre_difference'"):
        edge_errors(TEACHER, CENTRES, NEIGHBOURS, 'center_difference')
    with pytest.raises(ShapeError, match='centres'):
        edge_errors(TEACHER, CENTRES[:2], NEIGHBOURS, 'neighbor_centre')
    with pytest.raises(ShapeError, match='weights'):
        graph_loss(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1), torch.ones(3))
