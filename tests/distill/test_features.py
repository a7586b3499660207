"""Features as plain rows, and where grids lie."""

from __future__ import annotations

import pytest
import torch
from helpers.features import MAKERS, SIZES, bird_map, points, sample_of, samples_in, voxels

from pointkd.core.errors import ShapeError
from pointkd.distill.features import Grid, Logits, Map, Points, Voxels

KINDS = [pytest.param(maker, id=maker.__name__) for makers in MAKERS.values() for maker in makers]


@pytest.mark.parametrize('maker', KINDS)
def test_places_divide_the_rows_into_samples(maker):
    feature = maker(4, 1)
    rows, places = feature.rows(), feature.places()
    assert len(places) == samples_in(feature)
    assert torch.cat(places).sort().values.tolist() == list(range(len(rows)))
    for sample, found in enumerate(feature.samples()):
        alone = sample_of(feature, sample).rows()
        for name in ('values', 'positions', 'counts'):
            one, other = getattr(found, name), getattr(alone, name)
            assert (one is None and other is None) or torch.equal(one, other)


def test_voxels_of_mixed_samples_are_told_apart():
    order = torch.randperm(sum(SIZES), generator=torch.Generator().manual_seed(1))
    mixed = voxels(4, 1).select(order)
    assert [len(rows) for rows in mixed.samples()] == list(SIZES)
    for places, sample in zip(mixed.places(), range(3), strict=True):
        assert (mixed.coords[places, 0] == sample).all()


def test_cells_of_a_map_come_row_by_row_with_their_centres():
    feature = bird_map(3, 1, batch=2)
    rows = feature.samples()[1]
    assert torch.equal(rows.values[1 * 5 + 2], feature.values[1, :, 1, 2])
    assert rows.positions[1 * 5 + 2].tolist() == [1.25, -3.25, -1.0]  # x, y, z of row 1, column 2
    plain = Map(feature.values).samples()[0]
    assert plain.positions[1 * 5 + 2].tolist() == [2.0, 1.0, 0.0]


def test_rows_keep_the_gradient():
    for feature in (bird_map(3, 1), points(3, 1), voxels(3, 1)):
        leaf = feature.values.clone().requires_grad_()
        for rows in feature.with_values(leaf).samples():
            rows.values.sum().backward(retain_graph=True)
        assert torch.equal(leaf.grad, torch.ones_like(leaf))


def test_grid_cells_and_centres_are_inverse():
    grid = Grid((0.0, -4.0, -3.0), (0.5, 0.25, 4.0))
    cells = torch.tensor([[0, 3, 7], [0, 31, 0]])
    assert grid.centres(cells).tolist() == [[3.75, -3.125, -1.0], [0.25, 3.875, -1.0]]
    assert torch.equal(grid.cells(grid.centres(cells)), cells)
    assert grid.strided((2, 4, 1)) == Grid((0.0, -4.0, -3.0), (1.0, 1.0, 4.0))


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: Map(torch.zeros(2, 3, 4)), r'Map\.values: expected shape \(N, C, H, W\)'),
        (lambda: Voxels(torch.zeros(2, 3), torch.zeros(2, 3), 1), r'Voxels\.coords: expected shape \(2, 4\)'),
        (lambda: Points(torch.zeros(1, 2, 3), torch.zeros(1, 3, 3)), r'Points\.positions: expected shape \(1, 2, 3\)'),
        (lambda: Logits(torch.zeros(2, 7), 3), r'Logits\.values: .* C = 3'),
        (lambda: Logits(torch.zeros(2, 3, 4), 3), r'Logits\.values'),
    ],
)
def test_other_shapes_are_refused(make, words):
    with pytest.raises(ShapeError, match=words):
        make()
