"""Edges of local graphs behind a linear map, and their statistics, without ever holding the edges themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.functional import EDGE_FORMS, neighbour_sum
from pointkd.distill.methods._graphs import Graph


def project_edges(features: Tensor, graphs: list[Graph], weight: Tensor, edge: str) -> list[Tensor]:
    """Return `edge_features(...) @ weight.T`, (N, K, C') of each set, without ever holding the edges.

    A linear map of an edge is one map of its neighbour plus one of its centre, so the elements are mapped first.

    Args:
        features: (T, C).
        graphs: centres and neighbours of each set.
        weight: (C', 2C).
        edge: one of `EDGE_FORMS`.

    Raises:
        ConfigError: no such form.
    Cost: O(T·C·C' + N·K·C') time, O(N·K·C') memory.
    """
    of_neighbour, of_centre = halves(weight, edge)
    mapped = features @ of_neighbour.t()  # (T, C')
    projected = []
    for graph in graphs:
        neighbour = mapped.index_select(0, graph.neighbours.flatten()).unflatten(0, graph.neighbours.shape)
        centre = features.index_select(0, graph.centres) @ of_centre.t()
        projected.append(neighbour + centre.unsqueeze(1))
    return projected


def edge_moments(features: Tensor, graphs: list[Graph], weight: Tensor, edge: str) -> tuple[Tensor, Tensor]:
    """Return mean and (biased) variance of `edge_features(...) @ weight.T` over all edges, without holding an edge.

    An edge is `a_j + b_i`, so with c_j the number of edges that end in j the sums over edges are sums over elements:
    `Σ (a_j + b_i)² = Σ_j c_j a_j² + K Σ_i b_i² + 2 Σ_i b_i Σ_{j∈N(i)} a_j`. Both parts are centred first, so little is
    lost to rounding.

    Args:
        features: (T, C).
        graphs: centres and neighbours of each set; at least one edge in all.
        weight: (C', 2C).
        edge: one of `EDGE_FORMS`.

    Returns:
        (C',) each, with gradient.
    Cost: O(T·C·C' + N·K·C') time, O((T + N)·C') memory.
    """
    of_neighbour, of_centre = halves(weight, edge)
    mapped = features @ of_neighbour.t()  # (T, C')
    centres = [features.index_select(0, graph.centres) @ of_centre.t() for graph in graphs]
    with torch.no_grad():
        shifts = mapped.mean(0), torch.cat(centres).mean(0)
    mapped, centres = mapped - shifts[0], [centre - shifts[1] for centre in centres]
    ends = torch.cat([graph.neighbours.flatten() for graph in graphs])
    counts = torch.bincount(ends, minlength=len(mapped)).to(mapped.dtype)
    total, squares = counts @ mapped, counts @ mapped.square()
    for graph, centre in zip(graphs, centres, strict=True):
        if not graph.neighbours.numel():
            continue
        inner = centre * neighbour_sum(mapped, graph.neighbours)
        total = total + graph.neighbours.shape[1] * centre.sum(0)
        squares = squares + graph.neighbours.shape[1] * centre.square().sum(0) + 2 * inner.sum(0)
    mean = total / len(ends)
    return mean + shifts[0] + shifts[1], (squares / len(ends) - mean.square()).clamp(min=0)


def halves(weight: Tensor, edge: str) -> tuple[Tensor, Tensor]:
    """Return what a linear map of an edge does to its neighbour and to its centre, (C', C) each.

    Args:
        weight: (C', 2C).
        edge: one of `EDGE_FORMS`.

    Raises:
        ConfigError: no such form.
    """
    first, second = weight.chunk(2, dim=1)
    if edge == 'neighbor_centre':
        return first, second
    if edge == 'centre_difference':
        return second, first - second
    if edge == 'difference_centre':
        return -first, first + second
    raise ConfigError(f'edge: no form {edge!r}: {nearest(edge, EDGE_FORMS)}')
