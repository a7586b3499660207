"""Local graphs: which elements are their centres, what lies on their edges, how two of them are compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.functional.checks import positive, same_shape
from pointkd.distill.functional.precision import full_precision, widen

EDGE_FORMS = ('neighbor_centre', 'centre_difference', 'difference_centre')
POOLINGS = ('none', 'max', 'mean')


def top_elements(score: Tensor, count: int) -> Tensor:
    """Return the indices of the largest scores, in falling order, ties to the lower index.

    Args:
        score: (M,).
        count: how many are wanted; all M where there are fewer.

    Returns:
        (min(count, M),) int64.

    Example:
        >>> top_elements(torch.tensor([1, 3, 2, 3]), 3)
        tensor([1, 3, 2])
    """
    return score.sort(descending=True, stable=True).indices[:count]


def spatial_order(positions: Tensor) -> Tensor:
    """Return the permutation that sorts elements by x, then y, then z.

    Ties of scores and distances go to the lower index. In this order the choice no longer depends on how the elements
    came, so a loss on them doesn't either.

    Args:
        positions: (M, 3).

    Returns:
        (M,) int64.
    """
    order = torch.arange(len(positions), device=positions.device)
    for axis in reversed(range(positions.shape[1])):
        order = order[positions[order, axis].sort(stable=True).indices]
    return order


def edge_features(features: Tensor, centres: Tensor, neighbours: Tensor, form: str) -> Tensor:
    """Return what the edges of local graphs carry.

    Forms, for an edge from centre i to neighbour j (named in the order of the two halves):

    - `neighbor_centre`: `[f_j ; f_i]`, as PointDistiller releases it;
    - `centre_difference`: `[f_i ; f_j - f_i]`, as in DGCNN: where the centre is, and how the neighbour differs;
    - `difference_centre`: `[f_i - f_j ; f_i]`, the other form in PointDistiller's code (no config of it uses it).

    Args:
        features: (M, C).
        centres: (N,) int64.
        neighbours: (N, K) int64.
        form: one of `EDGE_FORMS`.

    Returns:
        (N, K, 2C).

    Raises:
        ShapeError: centres and neighbours don't belong together.
        ConfigError: no such form.
    Source: PointDistiller (2205.11098), section 3.2; DGCNN (1801.07829), equation 8.
    """
    check_shape(features, 'M C', 'features')
    rows, count = check_shape(neighbours, 'N K', 'neighbours').values()
    check_shape(centres, str(rows), 'centres')
    centre = features.index_select(0, centres).unsqueeze(1).expand(-1, count, -1)  # (N, K, C)
    neighbour = features.index_select(0, neighbours.flatten()).reshape(rows, count, features.shape[1])
    if form == 'neighbor_centre':
        return torch.cat([neighbour, centre], dim=-1)
    if form == 'centre_difference':
        return torch.cat([centre, neighbour - centre], dim=-1)
    if form == 'difference_centre':
        return torch.cat([centre - neighbour, centre], dim=-1)
    raise ConfigError(f'edge: no form {form!r}: {nearest(form, EDGE_FORMS)}')


def pool_edges(edges: Tensor, pooling: str) -> Tensor:
    """Return the edges of each graph pooled over its neighbours.

    Args:
        edges: (N, K, C).
        pooling: `'none'`, `'max'` or `'mean'`.

    Returns:
        (N, K, C) for `'none'`, else (N, 1, C).

    Raises:
        ConfigError: no such pooling.
    """
    if pooling == 'none':
        return edges
    if pooling not in POOLINGS:
        raise ConfigError(f'pooling: no kind {pooling!r}: {nearest(pooling, POOLINGS)}')
    if not edges.shape[1]:
        return edges.sum(1, keepdim=True)
    return edges.amax(1, keepdim=True) if pooling == 'max' else edges.mean(1, keepdim=True)


def centre_weights(score: Tensor, tau: float) -> Tensor:
    """Return the weight of each centre, `w = N · softmax(s / τ)`; their mean is 1.

    Args:
        score: (N,); integers (point counts) are computed in float64.
        tau: temperature above 0, in units of the score. A centre whose score is τ below another's gets 1/e of its
            weight; infinity gives all ones.

    Returns:
        (N,) float32 or float64, without gradient.

    Raises:
        ShapeError: score has another number of axes.
        ConfigError: tau is not above 0.
    Source: PointDistiller (2205.11098), equation 4. With counts and its τ of 0.01 all but the fullest pillars get 0.

    Example:
        >>> centre_weights(torch.tensor([32, 32, 7, 1]), 0.01)
        tensor([2., 2., 0., 0.], dtype=torch.float64)
    """
    check_shape(score, 'N', 'score')
    positive(tau, 'tau')
    with full_precision(score):
        score = widen(score.detach()) if score.is_floating_point() else score.double()
        return len(score) * (score / tau).softmax(0)


def effective_centres(weights: Tensor) -> Tensor:
    """Return how many equally weighted centres would have the same spread, `1 / Σ (w_i/N)²`; 0 for none.

    Args:
        weights: (N,) with mean 1, as `centre_weights` gives.

    Example:
        >>> float(effective_centres(torch.tensor([2.0, 2.0, 0.0, 0.0])))
        2.0
    """
    squares = weights.square().sum()
    return len(weights) ** 2 / squares if len(weights) else squares


def graph_loss(student: Tensor, teacher: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean squared difference of graph features.

    `L = 1/N Σ_i w_i · mean_{k,c} (G_S - G_T)²`.

    Args:
        student: (N, K, C) graph features.
        teacher: (N, K, C). It is not detached here: a trained projection of it learns through this loss.
        weights: (N,), no gradient reaches it.

    Returns:
        Scalar; 0 with a gradient path where there are no centres.

    Raises:
        ShapeError: the shapes don't belong together.
    Source: PointDistiller (2205.11098), equation 3; there 2·mean and no division by w.
    """
    same_shape(student, teacher)
    check_shape(weights, str(len(student)), 'weights')
    with full_precision(student):
        squares = (widen(student) - widen(teacher)).square()
        if not squares.numel():
            return squares.sum()
        return (squares.mean(dim=(1, 2)) * weights.detach().to(squares.dtype)).mean()


def edge_errors(gap: Tensor, centres: Tensor, neighbours: Tensor, form: str) -> Tensor:
    """Return the mean squared difference of each graph's plain edges (no layer, no pooling) without holding an edge.

    Edges are linear in the features, so what two of them differ by is the same edge of the gap `d = f_S - f_T`. For the
    two forms with a difference its square is `|d_i|² + |d_j - d_i|²`; summed over the K neighbours of a centre,

        `2K |d_i|² + Σ_j |d_j|² - 2 d_i · Σ_j d_j`,

    and without the difference `K |d_i|² + Σ_j |d_j|²`. The first is at least 0.38 (K |d_i|² + Σ_j |d_j|²), so little is
    lost to rounding.

    Args:
        gap: (M, C) student's minus teacher's features.
        centres: (N,) int64.
        neighbours: (N, K) int64.
        form: one of `EDGE_FORMS`.

    Returns:
        (N,) float32 or float64; weighted and averaged they are `graph_loss` of both sides' `edge_features`.

    Raises:
        ShapeError: centres and neighbours don't belong together.
        ConfigError: no such form.
    Cost: O(N·K·C) time, O(N·(K+C) + M·C) memory.
    """
    _, width = check_shape(gap, 'M C', 'gap').values()
    rows, count = check_shape(neighbours, 'N K', 'neighbours').values()
    check_shape(centres, str(rows), 'centres')
    if form not in EDGE_FORMS:
        raise ConfigError(f'edge: no form {form!r}: {nearest(form, EDGE_FORMS)}')
    with full_precision(gap):
        gap = widen(gap)
        centre = gap.index_select(0, centres)  # (N, C)
        if not rows * count * width:
            return centre.sum(1)
        squares = gap.square().sum(1)  # (M,)
        total = squares.index_select(0, neighbours.flatten()).reshape(rows, count).sum(1)  # (N,)
        if form == 'neighbor_centre':
            total = total + count * squares.index_select(0, centres)
        else:
            inner = (centre * neighbour_sum(gap, neighbours)).sum(1)
            total = total + 2 * (count * squares.index_select(0, centres) - inner)
        return total / (2 * count * width)


def neighbour_sum(features: Tensor, neighbours: Tensor) -> Tensor:
    """Return the sum of each centre's neighbours.

    Args:
        features: (M, C).
        neighbours: (N, K) int64, N and K above 0.

    Returns:
        (N, C).
    """
    return _NeighbourSum.apply(features, neighbours)


class _NeighbourSum(torch.autograd.Function):
    """`features[neighbours].sum(1)` without the (N, K, C) in between, forward or backward."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(neighbours)
        ctx.rows = len(features)
        return embedding_bag(neighbours, features, mode='sum')

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (neighbours,) = ctx.saved_tensors
        total = gradient.new_zeros(ctx.rows, gradient.shape[1])
        for column in neighbours.t():  # the gradients, repeated K times, would be large
            total.index_add_(0, column, gradient)
        return total, None
