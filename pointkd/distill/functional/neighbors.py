"""k nearest neighbours: exact, in bounded memory, on any device.

A matrix product gives all distances fast but not exactly (`|a|² + |b|² - 2ab` cancels). So it only draws a line that no
true neighbour can lie beyond, its rounding error included; the few elements within the line are measured exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pointkd.core.check import check_shape
from pointkd.core.errors import DataError, ShapeError
from pointkd.distill.functional._nearest_table import Table


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
    exact = features.detach().double()
    if not torch.isfinite(exact.mean(0)).all():
        raise DataError(
            'neighbours: the features hold NaN or infinite values; look at the teacher (its AP, its precision)'
        )
    with torch.autocast(features.device.type, enabled=False):
        return _nearest(exact, _distinct(features.detach(), k), centres, k, memory_mb)


def _nearest(exact: Tensor, index: Tensor, centres: Tensor, k: int, memory_mb: int) -> Tensor:
    """Return the neighbours (N, k) of centres among the candidates `index`.

    Seen from the middle of all elements, a crowd of nearly equal ones may be one to float32. Then the product is made
    again around a member, until each centre has few candidates or was the middle itself.
    """
    answer = centres.new_empty(len(centres), k)
    waiting = torch.arange(len(centres), device=centres.device)
    origin = exact.mean(0)
    while len(waiting):
        found, done = Table(exact, index, origin, k).nearest(centres[waiting], memory_mb)
        answer[waiting[done]] = found[done]
        waiting = waiting[~done]
        if len(waiting):
            origin = exact[centres[waiting[0]]]
    return answer


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
