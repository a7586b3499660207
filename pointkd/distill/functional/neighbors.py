"""k nearest neighbours: exact, in bounded memory, on any device.

A matrix product gives all distances fast but not exactly (`|a|² + |b|² - 2ab` cancels). So it only draws a line that no
true neighbour can lie beyond, its rounding error included; the few elements within the line are measured exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from pointkd.core.check import check_shape
from pointkd.core.errors import DataError, ShapeError

_MAX_GROUP = 32  # elements that share one minimum: larger groups cost less and draw a looser line
_CROWD = 4096  # candidates of a centre (beside 8k) beyond which a line drawn nearer by pays
_PAIRS = 2**15  # pairs whose differences are held at once


@torch.no_grad()
def knn(features: Tensor, k: int, centres: Tensor | None = None, *, memory_mb: int = 24) -> Tensor:
    """Return the k nearest elements of each element (or of each centre), itself included.

    Distances are Euclidean and exact to float64's rounding of the given values: never negative, the same for every
    chunk size. They ascend; ties go to the lower index (so among elements that are equal to the centre, it is not
    always the centre that comes first).

    Args:
        features: (M, C), or positions (M, 3); any float type. No gradient flows through.
        k: neighbours, at most M.
        centres: (N,) int64 indices of the elements to answer for; all M by default.
        memory_mb: memory for the distances of one chunk; small chunks stay in the cache. Copies of the features
            come on top.

    Returns:
        (N, k) int64.

    Raises:
        ShapeError: features have another number of axes, or fewer than k rows.
        DataError: features are not finite.
    Cost: O(N·M·C) time in one matrix product, O(M·C + memory_mb) memory.
    Source: neighbours as in PointDistiller (2205.11098), section 3.2; its released code takes them from the product
        itself, so that ties and low precision decide there.

    Example:
        >>> knn(torch.tensor([[0.0], [1.0], [3.0]]), 2)
        tensor([[0, 1],
                [1, 0],
                [2, 1]])
    """
    rows, _ = check_shape(features, 'M C', 'features').values()
    centres = torch.arange(rows, device=features.device) if centres is None else centres
    if not 1 <= k <= rows and len(centres):
        raise ShapeError(f'features: expected at least k = {k} rows (and k above 0), got {rows}')
    if not len(centres):
        return centres.new_zeros(0, k)
    search = _Search(features.detach(), k)
    chunk = max(1, memory_mb * 2**20 // (4 * len(search.index)))
    with torch.autocast(features.device.type, enabled=False):
        return torch.cat([search.nearest(part) for part in centres.split(chunk)])


@dataclass(frozen=True)
class _Table:
    """What the matrix product works on: the candidates as seen from one place.

    Attributes:
        exact: (M, C) float64, all elements.
        origin: (C,) float64, the place; the product is exact near it.
        scale: what one unit of the table is; its numbers lie in [-1, 1].
        candidates: (G*S, C) those that can be a neighbour, padded with zeros to S groups of G.
        squares: (G*S,) their squared norms, infinite for the padding.
        group: G. Group s is every S-th candidate from s on, so that minima run along contiguous memory.
    """

    exact: Tensor
    origin: Tensor
    scale: Tensor
    candidates: Tensor
    squares: Tensor
    group: int

    @classmethod
    def around(cls, origin: Tensor, exact: Tensor, index: Tensor, group: int) -> _Table:
        centred = exact[index] - origin
        scale = centred.abs().amax().clamp(min=torch.finfo(torch.float64).tiny) if centred.numel() else origin.sum()
        # Where the user lets matrix products round to TF32 or bfloat16, the bound below holds in float64 only.
        kind = torch.float32 if torch.get_float32_matmul_precision() == 'highest' else torch.float64
        candidates = centred.div_(scale).to(kind)
        padding = -len(index) % group
        squares = pad(candidates.square().sum(1), (0, padding), value=torch.inf)
        return cls(exact, origin, scale, pad(candidates, (0, 0, 0, padding)), squares, group)

    def candidates_of(self, centres: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return what may be among the k nearest of each centre.

        Let p = |b|² - 2ab be the product and s a bound of its error, |p + |a|² - d| <= s (|a|² + |b|²), for a candidate
        b at the squared distance d. With |b|² <= 2|a|² + 2d the error is at most s (3|a|² + 2d). The k-th smallest of
        minima over disjoint groups is at least the k-th smallest p; call it t. Then k candidates have d <= T,
        T = (t + |a|² + 3s|a|²) / (1 - 2s), and each of the k nearest has p + |a|² <= T + s (3|a|² + 2T).

        Returns:
            row (P,), place (P,): pairs of a centre's place in `centres` and a candidate's place in the table.
            sharp: (n,) bool, the centre lies at the origin: no other table would leave fewer candidates.
        """
        queries = ((self.exact[centres] - self.origin) / self.scale).to(self.candidates.dtype)
        s = 2 * (queries.shape[1] + 8) * torch.finfo(queries.dtype).eps
        product = torch.addmm(self.squares.unsqueeze(0), queries, self.candidates.t(), alpha=-2)  # (n, G*S)
        minima = product.unflatten(1, (self.group, -1)).amin(1)  # (n, S)
        own = queries.square().sum(1)
        farthest = (minima.kthvalue(k, dim=1).values + own * (1 + 3 * s)).clamp(min=0) / (1 - 2 * s)
        line = (farthest * (1 + 2 * s) + own * (3 * s) - own).unsqueeze(1)
        row, first = (minima <= line).nonzero(as_tuple=True)
        place = first.unsqueeze(1) + torch.arange(self.group, device=row.device) * minima.shape[1]  # (groups, G)
        values = product.flatten()[row.unsqueeze(1) * product.shape[1] + place]
        within = values <= line[row]
        return row.unsqueeze(1).expand_as(place)[within], place[within], own == 0


class _Search:
    """Answers for chunks of centres.

    Args:
        features: (M, C).
        k: neighbours.
    """

    def __init__(self, features: Tensor, k: int) -> None:
        self.k = k
        self.exact = features.double()
        centre = self.exact.mean(0)
        if not torch.isfinite(centre).all():
            raise DataError(
                'neighbours: the features hold NaN or infinite values; look at the teacher (its AP, its precision)'
            )
        self.index = _distinct(features, k)
        self.group = max(1, min(_MAX_GROUP, len(self.index) // (4 * k)))
        self.whole = self._table(centre)
        self.near: _Table | None = None

    def nearest(self, centres: Tensor) -> Tensor:
        """Return the neighbours (n, k) of some centres.

        Seen from the middle of all elements, a crowd of nearly equal ones may be one to float32. Then the table is made
        again around a member, until each centre has few candidates or was the middle itself.
        """
        answer = centres.new_empty(len(centres), self.k)
        waiting = torch.arange(len(centres), device=centres.device)
        table = self.whole
        while len(waiting):
            row, place, sharp = table.candidates_of(centres[waiting], self.k)
            few = sharp | (row.bincount(minlength=len(waiting)) <= _CROWD + 8 * self.k)
            ready = few[row]
            answer[waiting[few]] = self._closest(centres[waiting], row[ready], self.index[place[ready]])
            waiting = waiting[~few]
            if len(waiting):
                if table is not self.whole or self.near is None:  # else try the last crowd's table first
                    self.near = self._table(self.exact[centres[waiting[0]]])
                table = self.near
        return answer

    def _closest(self, centres: Tensor, row: Tensor, candidate: Tensor) -> Tensor:
        """Return the k nearest candidates of each centre that has any.

        Args:
            centres: (n,) elements.
            row, candidate: (P,) pairs of a place in `centres` and an element.
        """
        order = candidate.sort().indices  # then stable by distance, then by centre
        order = order[self._distances(centres[row[order]], candidate[order]).sort(stable=True).indices]
        order = order[row[order].sort(stable=True).indices]
        counts = row.unique_consecutive(return_counts=True)[1]  # rows come ascending
        start = counts.cumsum(0) - counts
        return candidate[order[start.unsqueeze(1) + torch.arange(self.k, device=row.device)]]

    def _distances(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the squared distances (P,) of pairs of elements, by their differences."""
        parts = zip(one.split(_PAIRS), other.split(_PAIRS), strict=True)
        return torch.cat([(self.exact[a] - self.exact[b]).square_().sum(1) for a, b in parts])

    def _table(self, origin: Tensor) -> _Table:
        return _Table.around(origin, self.exact, self.index, self.group)


def _distinct(features: Tensor, k: int) -> Tensor:
    """Return the elements (E,) that can be a neighbour: of equal ones only the first k.

    On a bird's-eye map most cells may be equal (nothing there); all of them tie, and the lowest indices win.
    """
    rows = features.shape[0]
    everything = torch.arange(rows, device=features.device)
    wide = features if features.dtype == torch.float64 else features.float()
    bits = (wide + 0.0).view(torch.int64 if wide.dtype == torch.float64 else torch.int32)  # -0.0 is 0.0
    generator = torch.Generator().manual_seed(0)
    odd = torch.randint(-(2**62), 2**62, (features.shape[1],), generator=generator) * 2 + 1
    key = (bits.long() * odd.to(bits.device)).sum(1)  # wraps around; hardly two different elements share one
    _, group, sizes = key.unique(return_inverse=True, return_counts=True)
    if int(sizes.max()) <= k:
        return everything
    order = group.sort(stable=True).indices
    first = (sizes.cumsum(0) - sizes)[group[order]]  # where the element's group begins in `order`
    if not torch.equal(wide[order], wide[order[first]]):  # two different ones do
        return everything
    return order[everything - first < k].sort().values
