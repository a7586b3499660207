"""Local graphs as rows of a batch's features, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LIGHT = 1e-10  # of a mean weight of 1: nothing of such a centre is left in a float32 sum


@dataclass(frozen=True)
class Graph:
    """The local graphs of one candidate set.

    Attributes:
        centres: (N,) int64, rows of the batch.
        neighbours: (N, K) int64, rows.
        weights: (N,) with mean 1.
    """

    centres: Tensor
    neighbours: Tensor
    weights: Tensor


def joined(graphs: list[Graph]) -> list[Graph]:
    """Return the graphs of all sets as one (one for each K, where small sets have fewer neighbours).

    Its weights sum to 1 for each set, so a sum over it is the sum of the sets' means.
    """
    groups: dict[int, list[Graph]] = {}
    for graph in graphs:
        groups.setdefault(graph.neighbours.shape[1], []).append(graph)
    return [
        Graph(
            torch.cat([graph.centres for graph in group]),
            torch.cat([graph.neighbours for graph in group]),
            torch.cat([graph.weights / max(1, len(graph.weights)) for graph in group]),
        )
        for group in groups.values()
    ]


def thinned(graphs: list[Graph], edges: int) -> list[Graph]:
    """Return graphs with evenly fewer centres, so that they have about so many edges in all."""
    step = max(1, sum(graph.neighbours.numel() for graph in graphs) // edges)
    return [Graph(graph.centres[::step], graph.neighbours[::step], graph.weights[::step]) for graph in graphs]


def heavy(graph: Graph) -> Graph:
    """Return the local graphs whose centres have a weight that counts."""
    rows = (graph.weights > LIGHT).nonzero().squeeze(1)
    return Graph(graph.centres[rows], graph.neighbours[rows], graph.weights[rows])
