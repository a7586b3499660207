"""LocalGraph: reference values, the released formula, the clean one against loops, scores, settings, traps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.features import GRID, bird_map, points, sample_of, values, voxels
from torch import nn

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Logits, Map, Voxels
from pointkd.distill.functional import EDGE_FORMS, centre_weights, edge_features, knn
from pointkd.distill.methods._graph_layers import EdgeLayer, FrozenLayer, TrainedLayers
from pointkd.distill.methods._graphs import Graph
from pointkd.distill.methods._projected_edges import edge_moments, project_edges
from pointkd.distill.methods.base import Context, Widths
from pointkd.distill.methods.local_graph import LocalGraph
from pointkd.distill.registry import METHODS, build_strict

NOTHING = Context()


def build(student=4, teacher=4, **settings):
    torch.manual_seed(0)
    return LocalGraph(widths=Widths(student, teacher), **settings).double()


def test_reference_values():
    teacher = torch.tensor([[0, 0], [1, 0], [0, 2], [3, 3], [3, 4], [1.5, 0.5]], dtype=torch.float64)
    student = torch.tensor([[0.2], [0.9], [-0.4], [1.1], [1.6], [0.7]], dtype=torch.float64)
    coords = torch.arange(6)[:, None] * torch.tensor([0, 0, 0, 1])
    counts = torch.tensor([9, 1, 2, 8, 3, 7])  # centres 0, 3, 5
    settings = dict(samples=3, neighbors=3, score='counts', tau=math.inf, edge='neighbor_centre')
    for pooling, errors in (
        ('none', [0.0771875, 9.1380208333, 1.2640625]),
        ('max', [0.1153125, 7.59125, 1.0090625]),
    ):
        method = build(1, 2, projection='trained', aggregator='conv', width=2, pooling=pooling, **settings).eval()
        method.layer.student_norm.eps = method.layer.teacher_norm.eps = 0.0  # the untouched norm changes nothing
        method.layer.teacher.weight.data = torch.tensor([[0.5, -0.25, 1, 0.75], [-1, 0.5, 0.25, 0.5]]).double()
        method.layer.student.weight.data = torch.tensor([[1, 0.5], [-0.5, 2]]).double()
        features = (Voxels(side, coords, 1, None, counts) for side in (student, teacher))
        assert method(*features, NOTHING).loss.item() == pytest.approx(sum(errors) / 3, abs=1e-9)


class Released(nn.Module):
    """The released formula written out: explicit edges, 2-D convolutions and norms."""

    def __init__(self, method, student, teacher):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2 * width, 32, 1, bias=False) for width in (student, teacher)).double()
        self.norms = nn.ModuleList(nn.BatchNorm2d(32) for _ in range(2)).double()
        for conv, layer in zip(self.convs, (method.layer.student, method.layer.teacher), strict=True):
            conv.weight.data = layer.weight.data[:, :, None, None].clone()

    def view(self, side, batch, centres, neighbours):
        """(B, 32, N, K) of features (B, M, C)."""
        edges = [edge_features(f, c, n, 'neighbor_centre') for f, c, n in zip(batch, centres, neighbours, strict=True)]
        return self.norms[side](self.convs[side](torch.stack(edges).permute(0, 3, 1, 2))).relu()

    def forward(self, student, teacher, centres, neighbours, weights, pooling):
        """2 mean of w (G_T - G_S)²."""
        views = [self.view(side, batch, centres, neighbours) for side, batch in enumerate((student, teacher))]
        if pooling:
            views = [view.amax(3, keepdim=True) for view in views]
        return 2 * ((views[0] - views[1]).square() * weights[:, None, :, None]).mean()


def test_published_pillars_take_the_whole_batch_and_saturate():
    student, teacher = voxels(3, 1), voxels(4, 2)
    counts = torch.tensor([32, 5, 32, 7, 1, 32, 2, 31, 8, 32, 1, 1, 30, 4, 6])
    student, teacher = replace(student, counts=counts), replace(teacher, counts=counts)
    method = build(3, 4, published=True)
    term = method(student, teacher, NOTHING)
    everyone = torch.arange(15)
    neighbours = knn(teacher.values, 15)
    weights = centre_weights(counts, 0.01)[None]
    released = Released(method, 3, 4)
    expected = released(student.values[None], teacher.values[None], [everyone], [neighbours], weights, False)
    assert term.loss.item() == pytest.approx(expected.item(), rel=1e-9)
    assert term.scalars['effective_centres'].item() == pytest.approx(4)
    term.loss.backward()
    expected.backward()
    for layer, conv in zip((method.layer.student, method.layer.teacher), released.convs, strict=True):
        assert torch.allclose(layer.weight.grad, conv.weight.grad[:, :, 0, 0], atol=1e-12)
    assert torch.allclose(method.layer.teacher_norm.running_var, released.norms[1].running_var)


@pytest.mark.parametrize(('maker', 'pooling', 'factor'), [(bird_map, False, 3), (points, True, 1)])
def test_published_maps_and_points_stay_in_their_sample_without_weights(maker, pooling, factor):
    student, teacher = maker(3, 1), maker(4, 2)
    method = build(3, 4, published=True)
    sides = [torch.stack([rows.values for rows in side.samples()]) for side in (student, teacher)]
    count = sides[0].shape[1]
    neighbours = [knn(features, count) for features in sides[1]]
    everyone = [torch.arange(count)] * 3
    ones = torch.ones(3, count, dtype=torch.float64)
    expected = factor * Released(method, 3, 4)(*sides, everyone, neighbours, ones, pooling)
    assert method(student, teacher, NOTHING).loss.item() == pytest.approx(expected.item(), rel=1e-9)


def test_published_pillars_have_neighbours_in_other_scenes():
    method = build(published=True)
    student, teacher = voxels(4, 1), voxels(4, 2)
    changed = teacher.values.clone()
    changed[-1] += 1  # a pillar of the last sample
    gradients = []
    for values_now in (teacher.values, changed):
        leaf = student.values.clone().requires_grad_()
        method(student.with_values(leaf), teacher.with_values(values_now), NOTHING).loss.backward()
        gradients.append(leaf.grad[:9])  # of the first sample
    assert not torch.allclose(*gradients)


@pytest.mark.parametrize('space', ['features', 'space'])
def test_clean_preset_equals_a_loop(space):
    student, teacher = voxels(4, 1), voxels(4, 2)
    total = 0.0
    for ours, theirs in zip(student.samples(), teacher.samples(), strict=True):
        if not len(ours):
            continue
        rank = sorted(range(len(ours)), key=lambda i: (-theirs.counts[i].item(), *theirs.positions[i].tolist()))
        centres = rank[:5]
        weights = [theirs.counts[i].item() for i in centres]  # log-counts at tau 1: in proportion to the counts
        for centre, weight in zip(centres, weights, strict=True):
            where = theirs.values if space == 'features' else theirs.positions.double()
            distance = [(where[centre] - place).square().sum().item() for place in where]
            order = sorted(range(len(ours)), key=lambda i: (distance[i], *theirs.positions[i].tolist()))
            squares = []
            for j in order[:3]:
                gap = ours.values - theirs.values
                squares += (torch.cat([gap[centre], gap[j] - gap[centre]]) ** 2).tolist()
            total += weight / sum(weights) * sum(squares) / len(squares)
    method = build(samples=5, neighbors=3, neighbors_in=space)
    assert method(student, teacher, NOTHING).loss.item() == pytest.approx(total / 3, rel=1e-6)


def test_fewer_elements_than_centres_or_neighbours():
    student, teacher = voxels(4, 1, (2, 1, 0)), voxels(4, 2, (2, 1, 0))
    term = build(samples=100, neighbors=50)(student, teacher, NOTHING)
    assert term.loss.item() > 0
    assert term.scalars['centres'].item() == 1.5
    one = voxels(4, 1, (1,))
    for settings in (dict(published=True), dict(projection='trained', aggregator='conv')):
        assert build(**settings)(one, voxels(4, 2, (1,)), NOTHING).loss.isfinite()


def test_gradcheck():
    teacher = points(3, 2, batch=1, count=5)
    for settings in (
        dict(),
        dict(projection='frozen', aggregator='conv', width=4),
        dict(projection='trained', aggregator='linear', width=4, pooling='mean'),
    ):
        method = build(3, 3, samples=3, neighbors=2, **settings)

        def loss(student, method=method):
            return method(teacher.with_values(student), teacher, NOTHING).loss

        assert torch.autograd.gradcheck(loss, (values((1, 5, 3), 1).requires_grad_(),))


@pytest.mark.parametrize('edge', EDGE_FORMS)
def test_projected_edges_equal_edges_projected(edge):
    features, weight = values((7, 3), 1), values((5, 6), 2)
    graph = Graph(torch.tensor([2, 0]), torch.tensor([[2, 1, 6], [0, 3, 4]]), torch.ones(2))
    expected = edge_features(features, graph.centres, graph.neighbours, edge) @ weight.t()
    assert torch.allclose(project_edges(features, [graph], weight, edge)[0], expected)


@pytest.mark.parametrize('edge', EDGE_FORMS)
def test_edge_moments_are_those_of_the_edges(edge):
    features, weight = values((7, 3), 1) + 50, values((5, 6), 2)
    graphs = [
        Graph(torch.tensor([2, 0]), torch.tensor([[2, 1, 6], [0, 3, 4]]), torch.ones(2)),
        Graph(torch.tensor([5]), torch.tensor([[5, 6]]), torch.ones(1)),
        Graph(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 1, dtype=torch.int64), torch.ones(0)),
    ]
    edges = torch.cat([view.flatten(0, 1) for view in project_edges(features, graphs, weight, edge)])
    variance, mean = torch.var_mean(edges, 0, correction=0)
    found = edge_moments(features, graphs, weight, edge)
    torch.testing.assert_close(found, (mean, variance), rtol=1e-9, atol=1e-9)

    def moments(features, weight):
        return edge_moments(features, graphs, weight, edge)

    assert torch.autograd.gradcheck(moments, (features.requires_grad_(), weight.requires_grad_()))


def test_centres_without_weight_take_part_in_the_statistics_alone():
    counts = torch.tensor([8.0, 8, 8, 3, 1, 7, 2, 8, 1])
    weights = centre_weights(counts, 0.01)
    graph = Graph(torch.arange(9), values((9, 4), 3).argsort(1), weights)
    student, teacher = values((9, 3), 1).requires_grad_(), values((9, 5), 2)
    found, states = [], []
    for forward in (EdgeLayer.forward, TrainedLayers.forward):
        torch.manual_seed(0)
        layer = TrainedLayers(3, 5, 6, 'neighbor_centre', 'conv').double()
        loss, views = forward(layer, student, teacher, [graph], 'none')
        found.append((loss, *torch.autograd.grad(loss, [student, *layer.parameters()])))
        states.append((len(views[0][0]), layer.state_dict()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(states[1][1], states[0][1])
    assert (states[0][0], states[1][0]) == (9, 4)


def test_the_frozen_projection_is_orthogonal_fixed_and_kept():
    layer = FrozenLayer(4, 6, 'neighbor_centre', 'linear')
    assert torch.allclose(layer.weight @ layer.weight.t(), torch.eye(6), atol=1e-6)
    assert not list(layer.parameters())
    assert 'weight' in layer.state_dict()


def test_space_neighbours_survive_rigid_motion():
    student, teacher = points(4, 1), points(4, 2)
    method = build(samples=6, neighbors=4, neighbors_in='space')
    turn = torch.linalg.qr(values((3, 3), 5)).Q
    moved = [replace(side, positions=side.positions @ turn.t() + 20) for side in (student, teacher)]
    expected = method(student, teacher, NOTHING).loss.item()
    assert method(*moved, NOTHING).loss.item() == pytest.approx(expected, rel=1e-9)
    by_features = build(samples=6, neighbors=4)(student, teacher, NOTHING).loss.item()
    assert by_features != pytest.approx(expected, rel=1e-3)


def test_without_counts_the_largest_channel_leads():
    student, teacher = bird_map(4, 1), bird_map(4, 2)
    expected = build(samples=4, score='channel_max')(student, teacher, NOTHING).loss
    assert torch.equal(build(samples=4)(student, teacher, NOTHING).loss, expected)
    with pytest.raises(ConfigError, match='no point counts'):
        build(score='counts')(student, teacher, NOTHING)


def test_confidence_reads_the_score_map_where_the_element_lies():
    student, teacher = voxels(4, 1, (9,)), voxels(4, 2, (9,))
    scores = torch.full((1, 2, 8, 8), -9.0, dtype=torch.float64)
    _, _, y, x = teacher.coords[4].tolist()
    scores[0, 1, y, x] = 9.0
    settings = dict(samples=1, neighbors=1, score='confidence', confidence='bbox_head.conv_cls')
    method = build(**settings)
    assert method.extra_taps() == {'confidence': ('teacher', 'bbox_head.conv_cls')}
    expected = (student.values[4] - teacher.values[4]).square().sum() / 8
    for feature in (Map(scores, GRID), Logits(scores, 2, 'sigmoid', GRID), Logits(scores, 2, 'softmax', GRID)):
        loss = method(student, teacher, Context(extra={'confidence': feature})).loss
        assert loss.item() == pytest.approx(expected.item())
    with pytest.raises(ConfigError, match='no known grid'):
        method(student, teacher, Context(extra={'confidence': Map(scores)}))
    with pytest.raises(ConfigError, match='maps of class scores'):
        method(student, teacher, Context(extra={'confidence': Logits(scores[0, :, 0], 8)}))
    plain = [Map(side, None) for side in (values((1, 4, 8, 8), 1), values((1, 4, 8, 8), 2))]
    loss = method(*plain, Context(extra={'confidence': Map(scores)})).loss.item()
    gap = plain[0].values[0, :, y, x] - plain[1].values[0, :, y, x]
    assert loss == pytest.approx((gap.square().sum() / 8).item())


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(published=True, samples=6000), 'samples: have no place beside published=True'),
        (dict(published=True, tau=0.1, edge='neighbor_centre'), 'edge, tau'),
        (dict(width=8), "width: have no effect with projection='none'"),
        (dict(score='confidence'), 'give the tap'),
        (dict(confidence='bbox_head.conv_cls'), 'give the tap'),
        (dict(score='count'), "did you mean 'counts'"),
        (dict(neighbors_in='sapce'), "did you mean 'space'"),
        (dict(projection='frozen', aggregator='conf'), "did you mean 'conv'"),
        (dict(samples=0), 'samples: expected a number above 0'),
        (dict(tau=-1.0), 'tau: expected'),
        (dict(neighbours=3), "did you mean 'neighbors'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        build_strict(METHODS, dict(type='LocalGraph', **settings), 'distill.methods[0]', widths=Widths(4, 4))


def test_unequal_widths_need_a_connector_or_trained_layers():
    with pytest.raises(ConfigError, match='use a connector'):
        build(3, 4)
    assert not LocalGraph.connects_with(dict(published=True))
    assert not LocalGraph.connects_with(dict(projection='trained'))
    assert LocalGraph.connects_with(dict(projection='frozen'))


@pytest.mark.parametrize(('projection', 'collapses'), [('trained', True), ('frozen', False)])
def test_a_trained_teacher_projection_runs_away(projection, collapses):
    student, teacher = points(4, 1, batch=1, count=40), points(4, 2, batch=1, count=40)  # have nothing in common
    method = build(samples=40, neighbors=8, aggregator='conv', width=8, projection=projection)
    connector = nn.Linear(4, 4, bias=False).double()
    parameters = [*method.parameters(), *connector.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=5e-2)
    history = []
    for _ in range(150):
        loss = method(student.with_values(connector(student.values)), teacher, NOTHING).loss
        history.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (history[-1] < 0.1 * history[0]) == collapses


def test_one_sample_alone_gives_what_it_gives_beside_others():
    student, teacher = voxels(4, 1), voxels(4, 2)
    method = build(samples=3)
    alone = method(sample_of(student, 2), sample_of(teacher, 2), NOTHING).loss.item()
    beside = [method(sample_of(student, i), sample_of(teacher, i), NOTHING).loss.item() for i in (0, 1)]
    assert method(student, teacher, NOTHING).loss.item() == pytest.approx((alone + sum(beside)) / 3)
