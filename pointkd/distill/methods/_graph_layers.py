"""What is compared at the edges of local graphs: the raw edges, a fixed view of them, or two trained views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.functional import EDGE_FORMS, edge_features

Views = list[tuple[Tensor, Tensor]]  # the student's and the teacher's graph features (N, K, C') of every candidate set
AGGREGATORS = ('linear', 'conv')


@dataclass(frozen=True)
class Graph:
    """The local graphs of one candidate set.

    Attributes:
        centres: (N,) elements.
        neighbours: (N, K) elements.
        weights: (N,) with mean 1.
    """

    centres: Tensor
    neighbours: Tensor
    weights: Tensor


class RawEdges(nn.Module):
    """The edges as they are, 2C numbers each.

    Args:
        edge: form of the edges.
    """

    def __init__(self, edge: str) -> None:
        super().__init__()
        self.edge = edge

    def forward(self, students: list[Tensor], teachers: list[Tensor], graphs: list[Graph]) -> Views:
        """Return the student's and the teacher's edges, each (N, K, 2C), of every set.

        Args:
            students: features (M, C) of each candidate set.
            teachers: features (M, C).
            graphs: of each set.
        """
        views = []
        for student, teacher, graph in zip(students, teachers, graphs, strict=True):
            with torch.no_grad():
                theirs = edge_features(teacher, graph.centres, graph.neighbours, self.edge)
            views.append((edge_features(student, graph.centres, graph.neighbours, self.edge), theirs))
        return views


class FrozenLayer(nn.Module):
    """One fixed projection with orthonormal rows, the same for both sides.

    With the aggregator `conv` each channel is then normalised by the mean and spread of the *teacher's* edges in the
    set and cut at 0, on both sides: as in the released layer, but nothing in it can run away.

    Args:
        width: C of either side's features (the student comes through the connector).
        channels: outputs.
        edge: form of the edges.
        aggregator: `'linear'` or `'conv'`.
    """

    weight: Tensor

    def __init__(self, width: int, channels: int, edge: str, aggregator: str) -> None:
        super().__init__()
        self.edge = edge
        self.normalised = is_conv(aggregator)
        self.register_buffer('weight', nn.init.orthogonal_(torch.empty(channels, 2 * width)))

    def forward(self, students: list[Tensor], teachers: list[Tensor], graphs: list[Graph]) -> Views:
        """Return what `RawEdges` does, in (N, K, channels)."""
        views = []
        for student, teacher, graph in zip(students, teachers, graphs, strict=True):
            with torch.no_grad():
                theirs = project_edges(teacher, graph, self.weight, self.edge)
            ours = project_edges(student, graph, self.weight, self.edge)
            views.append(self._normalise(ours, theirs) if self.normalised and theirs.numel() else (ours, theirs))
        return views

    @staticmethod
    def _normalise(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = torch.var_mean(theirs, dim=(0, 1), correction=0)
        scale = torch.rsqrt(variance + 1e-5)
        return ((ours - mean) * scale).relu(), ((theirs - mean) * scale).relu()


class TrainedLayers(nn.Module):
    """One trained layer a side, as released: 1x1 convolution without bias, then (for `conv`) batch norm and ReLU.

    Args:
        student: width of the student's features.
        teacher: width of the teacher's features.
        channels: outputs of both.
        edge: form of the edges.
        aggregator: `'linear'` or `'conv'`.
    """

    def __init__(self, student: int, teacher: int, channels: int, edge: str, aggregator: str) -> None:
        super().__init__()
        self.edge = edge
        self.student = nn.Linear(2 * student, channels, bias=False)
        self.teacher = nn.Linear(2 * teacher, channels, bias=False)
        conv = is_conv(aggregator)
        self.student_norm = nn.BatchNorm1d(channels) if conv else None
        self.teacher_norm = nn.BatchNorm1d(channels) if conv else None

    def forward(self, students: list[Tensor], teachers: list[Tensor], graphs: list[Graph]) -> Views:
        """Return what `RawEdges` does, in (N, K, channels); batch norm sees the edges of all sets."""
        ours = self._view(students, graphs, self.student.weight, self.student_norm)
        theirs = self._view(teachers, graphs, self.teacher.weight, self.teacher_norm)
        return list(zip(ours, theirs, strict=True))

    def _view(
        self, features: list[Tensor], graphs: list[Graph], weight: Tensor, norm: nn.BatchNorm1d | None
    ) -> list[Tensor]:
        """Return one side's edges."""
        views = [project_edges(*pair, weight, self.edge) for pair in zip(features, graphs, strict=True)]
        if norm is None:
            return views
        rows = torch.cat([view.flatten(0, 1) for view in views])  # (edges, channels)
        rows = normalise_rows(norm, rows).relu()
        parts = rows.split([view.shape[0] * view.shape[1] for view in views])
        return [part.reshape(view.shape) for part, view in zip(parts, views, strict=True)]


def project_edges(features: Tensor, graph: Graph, weight: Tensor, edge: str) -> Tensor:
    """Return `edge_features(...) @ weight.T` (N, K, C') without ever holding the edges.

    A linear map of an edge is one map of its neighbour plus one of its centre, so the M elements are mapped first.

    Args:
        features: (M, C).
        graph: centres and neighbours.
        weight: (C', 2C).
        edge: one of `EDGE_FORMS`.

    Raises:
        ConfigError: no such form.
    Cost: O(M·C·C' + N·K·C') time, O(N·K·C') memory.
    """
    first, second = weight.chunk(2, dim=1)
    if edge == 'neighbor_centre':
        of_neighbour, of_centre = first, second
    elif edge == 'centre_difference':
        of_neighbour, of_centre = second, first - second
    elif edge == 'difference_centre':
        of_neighbour, of_centre = -first, first + second
    else:
        raise ConfigError(f'edge: no form {edge!r}: {nearest(edge, EDGE_FORMS)}')
    count, neighbors = graph.neighbours.shape
    neighbour = (features @ of_neighbour.t()).index_select(0, graph.neighbours.flatten())
    centre = features.index_select(0, graph.centres) @ of_centre.t()
    return neighbour.reshape(count, neighbors, len(weight)) + centre.unsqueeze(1)


def normalise_rows(norm: nn.BatchNorm1d, rows: Tensor) -> Tensor:
    """Return batch-normalised rows (R, C); with fewer than two, which have no variance, by the running statistics."""
    if len(rows) > 1 or not norm.training:
        return norm(rows)
    return batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def is_conv(aggregator: str) -> bool:
    """Return whether an aggregator normalises and cuts at 0.

    Raises:
        ConfigError: no such aggregator.
    """
    if aggregator not in AGGREGATORS:
        raise ConfigError(f'aggregator: no kind {aggregator!r}: {nearest(aggregator, AGGREGATORS)}')
    return aggregator == 'conv'
