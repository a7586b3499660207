"""Finds the ratio of pruning that reaches a number of parameters, of multiply-adds, or a latency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointkd.core.errors import ConfigError

STEPS = 24  # bisections of the ratio: finer than any width of a real network
MEASUREMENTS = 10  # of a latency; each builds and times a network
NEAR = 0.1  # a latency within 10 % of the target is reached
HIGHEST = 0.99


@dataclass(frozen=True)
class Reached:
    """A ratio and what it gives."""

    ratio: float
    value: float


def highest_ratio(possible: Callable[[float], bool]) -> float:
    """Return the highest ratio that leaves every layer a channel.

    Args:
        possible: whether a ratio does.
    """
    if possible(HIGHEST):
        return HIGHEST
    low, high = 0.0, HIGHEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if possible(middle) else (low, middle)
    return low


def reach_count(cost: Callable[[float], float], target: float, highest: float, what: str) -> Reached:
    """Return the lowest ratio whose cost is at most a target.

    Args:
        cost: of a ratio; falls with it.
        target: parameters or multiply-adds.
        highest: ratio that may be taken at most.
        what: how messages call it.

    Raises:
        ConfigError: the dense network is below the target already, or the narrowest one is above it.
    """
    dense, least = cost(0.0), cost(highest)
    if target >= dense:
        raise ConfigError(f'{what} {target:,.0f}: the dense network has {dense:,.0f} already; nothing is to be pruned')
    if target < least:
        raise ConfigError(f'{what} {target:,.0f}: can not be reached; {least:,.0f} are left at ratio {highest:.2f}')
    low, high = 0.0, highest
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(middle) <= target else (middle, high)
    return Reached(high, cost(high))


def reach_latency(measure: Callable[[float], float], dense_ms: float, target_ms: float, highest: float) -> Reached:
    """Return a ratio whose measured latency is within 10 % of a target, and not above the dense network's.

    Args:
        measure: builds and times the network at a ratio, in milliseconds.
        dense_ms: latency of the dense network.
        target_ms: what is asked for.
        highest: ratio that may be taken at most.

    Raises:
        ConfigError: the dense network is as fast already, or no ratio comes near.
    """
    if target_ms >= dense_ms:
        raise ConfigError(f'target latency {target_ms:g} ms: the dense network takes {dense_ms:.2f} ms already')
    low, high = 0.0, highest
    best = Reached(highest, measure(highest))
    if best.value > target_ms * (1 + NEAR):
        raise ConfigError(
            f'target latency {target_ms:g} ms: can not be reached; {best.value:.2f} ms are left at ratio '
            f'{highest:.2f}, '
            f'of {dense_ms:.2f} ms of the dense network'
        )
    for _ in range(MEASUREMENTS):
        if abs(best.value - target_ms) <= NEAR / 2 * target_ms:  # half the tolerance: a second measurement differs
            break
        middle = (low + high) / 2
        found = Reached(middle, measure(middle))
        low, high = (middle, high) if found.value > target_ms else (low, middle)
        if abs(found.value - target_ms) < abs(best.value - target_ms):
            best = found
    if abs(best.value - target_ms) > NEAR * target_ms:
        raise ConfigError(
            f'target latency {target_ms:g} ms: the nearest found is {best.value:.2f} ms at ratio {best.ratio:.3f}, not '
            'within 10 %; widths are too coarse, or something else disturbs the times'
        )
    return best
