"""What is compared at the edges of local graphs: the raw edges, a fixed view of them, or two trained views."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.functional import edge_errors, edge_features, graph_loss, pool_edges
from pointkd.distill.methods._graphs import Graph, heavy, joined, thinned
from pointkd.distill.methods._projected_edges import edge_moments, project_edges

Views = list[tuple[Tensor, Tensor]]  # the student's and the teacher's graph features (N, K, C') of every candidate set
WATCHED_ROWS = 4096  # graph features of a batch that the collapse watch gets to see
AGGREGATORS = ('linear', 'conv')


class EdgeLayer(nn.Module):
    """What looks at the edges of both sides.

    Args:
        edge: form of the edges.
    """

    def __init__(self, edge: str) -> None:
        super().__init__()
        self.edge = edge

    def views(self, student: Tensor, teacher: Tensor, graphs: list[Graph]) -> Views:
        """Return the student's and the teacher's graph features, each (N, K, C'), of every candidate set.

        Args:
            student: features (T, C_S) of the batch.
            teacher: features (T, C_T).
            graphs: of each set.
        """
        raise NotImplementedError

    def forward(self, student: Tensor, teacher: Tensor, graphs: list[Graph], pooling: str) -> tuple[Tensor, Views]:
        """Return the mean of the sets' losses, and graph features to watch.

        Args:
            student: features (T, C_S) of the batch.
            teacher: features (T, C_T).
            graphs: of each candidate set.
            pooling: over the neighbours, see `pool_edges`.

        Returns:
            Scalar, 0 with a gradient path where there are no sets; pooled views, at least some of each set.
        """
        views = self.views(student, teacher, graphs)
        views = [(pool_edges(ours, pooling), pool_edges(theirs, pooling)) for ours, theirs in views]
        losses = [graph_loss(ours, theirs, graph.weights) for (ours, theirs), graph in zip(views, graphs, strict=True)]
        return torch.stack(losses).mean() if losses else student.sum(), views


class RawEdges(EdgeLayer):
    """The edges as they are, 2C numbers each."""

    def views(self, student: Tensor, teacher: Tensor, graphs: list[Graph]) -> Views:
        """Return the edges of both sides."""
        return [
            (
                edge_features(student, graph.centres, graph.neighbours, self.edge),
                edge_features(teacher, graph.centres, graph.neighbours, self.edge),
            )
            for graph in graphs
        ]

    def forward(self, student: Tensor, teacher: Tensor, graphs: list[Graph], pooling: str) -> tuple[Tensor, Views]:
        """Return what `EdgeLayer` does; without pooling by sums over the elements, and only some edges to watch."""
        if pooling != 'none' or not graphs:
            return super().forward(student, teacher, graphs, pooling)
        gap = student - teacher
        parts = []
        for graph in joined(graphs):
            errors = edge_errors(gap, graph.centres, graph.neighbours, self.edge)
            parts.append((errors * graph.weights.to(errors.dtype)).sum())
        with torch.no_grad():
            views = self.views(student, teacher, thinned(graphs, WATCHED_ROWS))
        return torch.stack(parts).sum() / len(graphs), views


class FrozenLayer(EdgeLayer):
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
        super().__init__(edge)
        self.normalised = is_conv(aggregator)
        self.register_buffer('weight', nn.init.orthogonal_(torch.empty(channels, 2 * width)))

    def views(self, student: Tensor, teacher: Tensor, graphs: list[Graph]) -> Views:
        """Return both sides' projected edges, (N, K, channels)."""
        with torch.no_grad():
            theirs = project_edges(teacher, graphs, self.weight, self.edge)
        ours = project_edges(student, graphs, self.weight, self.edge)
        views = list(zip(ours, theirs, strict=True))
        return [self._normalise(*view) if self.normalised and view[1].numel() else view for view in views]

    @staticmethod
    def _normalise(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = torch.var_mean(theirs, dim=(0, 1), correction=0)
        scale = torch.rsqrt(variance + 1e-5)
        return ((ours - mean) * scale).relu(), ((theirs - mean) * scale).relu()


class TrainedLayers(EdgeLayer):
    """One trained layer a side, as released: 1x1 convolution without bias, then (for `conv`) batch norm and ReLU.

    Args:
        student: width of the student's features.
        teacher: width of the teacher's features.
        channels: outputs of both.
        edge: form of the edges.
        aggregator: `'linear'` or `'conv'`.
    """

    def __init__(self, student: int, teacher: int, channels: int, edge: str, aggregator: str) -> None:
        super().__init__(edge)
        self.student = nn.Linear(2 * student, channels, bias=False)
        self.teacher = nn.Linear(2 * teacher, channels, bias=False)
        conv = is_conv(aggregator)
        self.student_norm = nn.BatchNorm1d(channels) if conv else None
        self.teacher_norm = nn.BatchNorm1d(channels) if conv else None

    def forward(self, student: Tensor, teacher: Tensor, graphs: list[Graph], pooling: str) -> tuple[Tensor, Views]:
        """Return what `EdgeLayer` does; edges of centres without weight take part in batch norm's statistics alone.

        With the published temperature nearly all centres are without weight.
        """
        both = (self.student_norm, self.teacher_norm)
        norms = [norm for norm in both if norm is not None and norm.training and type(norm) is nn.BatchNorm1d]
        edges = sum(graph.neighbours.numel() for graph in graphs)
        if pooling != 'none' or edges < 2 or len(norms) < 2:
            return super().forward(student, teacher, graphs, pooling)
        kept = [heavy(graph) for graph in graphs]
        ours = self._kept(student, graphs, kept, self.student.weight, norms[0])
        theirs = self._kept(teacher, graphs, kept, self.teacher.weight, norms[1])
        views = list(zip(ours, theirs, strict=True))
        losses = [
            graph_loss(*view, few.weights) * (len(few.weights) / max(1, len(graph.weights)))
            for view, few, graph in zip(views, kept, graphs, strict=True)
        ]
        return torch.stack(losses).mean(), views

    def _kept(
        self, features: Tensor, graphs: list[Graph], kept: list[Graph], weight: Tensor, norm: nn.BatchNorm1d
    ) -> list[Tensor]:
        """Return one side's edges of the centres that are kept, normalised by the statistics of all edges."""
        mean, variance = edge_moments(features, graphs, weight, self.edge)
        edges = sum(graph.neighbours.numel() for graph in graphs)
        update_statistics(norm, mean, variance * (edges / (edges - 1)))
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        offset = norm.bias - mean * scale
        return [(view * scale + offset).relu() for view in project_edges(features, kept, weight, self.edge)]

    def views(self, student: Tensor, teacher: Tensor, graphs: list[Graph]) -> Views:
        """Return each side's own view, (N, K, channels); batch norm sees the edges of all sets."""
        ours = self._view(student, graphs, self.student.weight, self.student_norm)
        theirs = self._view(teacher, graphs, self.teacher.weight, self.teacher_norm)
        return list(zip(ours, theirs, strict=True))

    def _view(self, features: Tensor, graphs: list[Graph], weight: Tensor, norm: nn.BatchNorm1d | None) -> list[Tensor]:
        """Return one side's edges."""
        views = project_edges(features, graphs, weight, self.edge)
        if norm is None or not views:
            return views
        rows = torch.cat([view.flatten(0, 1) for view in views])  # (edges, channels)
        rows = normalise_rows(norm, rows).relu()
        parts = rows.split([view.shape[0] * view.shape[1] for view in views])
        return [part.reshape(view.shape) for part, view in zip(parts, views, strict=True)]


@torch.no_grad()
def update_statistics(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics of a batch norm towards those of a batch (variance unbiased), as its call does."""
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance, norm.momentum)


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
