"""Compiled choice of nearest neighbours from rows of a product, for the CPU; see `Table`."""

from __future__ import annotations

import numba
import numpy as np

from pointkd.ops.jit import SETTINGS, jit

_STEPS = 64  # of the search for a line; each is one pass over a row's minima
_FEW = 256  # candidates that are ranked by comparing each with each


@jit
def choose(product, own, slack, centres, index, exact, group, crowd, answer, done):  # type: ignore[no-untyped-def]
    """Write the nearest elements of centres.

    Args:
        product: (n, G*S) float, |b|² - 2ab of every centre and candidate in the units of the table.
        own: (n,) |a|² of the centres, as float64.
        slack: s, the bound of the product's error.
        centres: (n,) int64, elements.
        index: (E,) int64, the elements that the candidates are, ascending; places behind them are padding.
        exact: (M, C) float64, all elements.
        group: G.
        crowd: a centre with more candidates is left out, unless it lies at the table's origin.
        answer: (n, k) int64, written: elements by rising distance, ties by rising element.
        done: (n,) bool, written: False where a centre was left out.
    """
    rows, width = product.shape
    k = answer.shape[1]
    size = width // group
    minima = np.empty(size, product.dtype)
    places = np.empty(width, np.int64)
    for row in range(rows):
        values = product[row]
        _lowest(values, minima)
        line = product.dtype.type(_line(_bound(minima, k, -own[row]), own[row], slack))
        found = _within(values, minima, line, places)
        done[row] = found <= crowd or own[row] == 0
        if done[row]:
            _nearest(exact, centres[row], index, places[:found], answer[row])


@jit
def _lowest(values, minima):  # type: ignore[no-untyped-def]
    """Write the minima (S,) over the groups of a row of values (G*S,)."""
    size = minima.size
    minima[:] = values[:size]
    whole = (values.size // size - 1) // 2 * 2 + 1  # groups of the first and of all pairs
    for start in range(size, whole * size, 2 * size):  # pairs: half the passes over the minima
        one, other = values[start : start + size], values[start + size : start + 2 * size]
        for place in range(size):
            lower = one[place] if one[place] < other[place] else other[place]
            minima[place] = lower if lower < minima[place] else minima[place]
    if whole * size < values.size:
        last = values[whole * size :]
        for place in range(size):
            minima[place] = last[place] if last[place] < minima[place] else minima[place]


@jit
def _bound(values, k, low):  # type: ignore[no-untyped-def]
    """Return a number that at least k values, and if possible hardly more, do not exceed.

    Args:
        values: (S,), S >= k.
        k: count.
        low: a number below them all, about.
    """
    kind = values.dtype.type
    below, high = kind(low), values[:k].max()
    for _ in range(_STEPS):
        middle = below + (high - below) / kind(4)
        if not below < middle < high:
            break
        count = np.int32(0)  # as wide as the values: four times as fast
        for value in values:
            count += np.int32(value <= middle)
        if count < k:
            below = middle
            continue
        high = middle
        if count <= k + k // 8:
            break
    return high


@jit
def _line(bound, own, slack):  # type: ignore[no-untyped-def]
    """Return what the product of a true neighbour can't exceed (see `Table.line`)."""
    farthest = max(bound + own * (1 + 3 * slack), 0.0) / (1 - 2 * slack)
    return farthest * (1 + 2 * slack) + own * (3 * slack) - own


@jit
def _within(values, minima, line, places):  # type: ignore[no-untyped-def]
    """Write the places of the values that do not exceed a line, in no order, and return how many there are."""
    found = 0
    for column in range(minima.size):
        if minima[column] <= line:
            for place in range(column, values.size, minima.size):
                places[found] = place  # kept where the next line counts it
                found += values[place] <= line
    return found


@jit
def _nearest(exact, centre, index, places, answer):  # type: ignore[no-untyped-def]
    """Write the nearest of some candidates."""
    elements = index[places]
    if elements.size > _FEW:
        elements.sort()
    distances = np.empty(elements.size)
    for place in range(elements.size):
        distances[place] = _distance(exact[centre], exact[elements[place]])
    if elements.size > _FEW:
        answer[:] = elements[np.argsort(distances, kind='mergesort')[: answer.size]]
        return
    for one in range(elements.size):
        distance, element, rank = distances[one], elements[one], 0
        for other in range(elements.size):
            rank += (distances[other] < distance) | ((distances[other] == distance) & (elements[other] < element))
        if rank < answer.size:
            answer[rank] = element


@numba.njit(fastmath={'reassoc', 'contract', 'nsz'}, **SETTINGS)  # the order of the sum is left to the compiler
def _distance(one, other):  # type: ignore[no-untyped-def]
    """Return the squared distance of two rows."""
    total = 0.0
    for place in range(one.size):
        difference = one[place] - other[place]
        total += difference * difference
    return total
