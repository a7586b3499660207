"""How strong a distillation term is over the run: a factor in 0..1 for each iteration.

Times are iterations (int) or a share of the run (float up to 1.0).
"""

from __future__ import annotations

import math
from typing import Protocol

from pointkd.distill.registry import SCHEDULES


class Schedule(Protocol):
    """A factor over time."""

    def factor(self, iteration: int, total: int) -> float:
        """Return the factor (0..1) for an iteration (from 0) of a run of `total` iterations."""


def _iterations(time: int | float, total: int) -> float:
    """Turn a time (int: iterations, float: share of the run) into iterations."""
    return time * total if isinstance(time, float) else time


def _check_time(name: str, time: int | float) -> int | float:
    """Refuse negative times, and shares above 1."""
    if time < 0 or (isinstance(time, float) and time > 1):
        raise ValueError(f'{name} must be iterations (int >= 0) or a share of the run (float in 0..1), got {time!r}')
    return time


@SCHEDULES.register_module()
class Constant:
    """Always 1."""

    def factor(self, iteration: int, total: int) -> float:
        """Return 1."""
        return 1.0


@SCHEDULES.register_module()
class Warmup:
    """Rises linearly from 0 to 1 between `begin` and `end`, then stays.

    Args:
        end: when 1 is reached.
        begin: until when it is 0.
    """

    def __init__(self, end: int | float, begin: int | float = 0) -> None:
        self.begin, self.end = _check_time('begin', begin), _check_time('end', end)

    def factor(self, iteration: int, total: int) -> float:
        """Return the rising factor."""
        begin, end = _iterations(self.begin, total), _iterations(self.end, total)
        if end <= begin:
            return 1.0 if iteration >= end else 0.0
        return min(1.0, max(0.0, (iteration - begin) / (end - begin)))


@SCHEDULES.register_module()
class Cosine:
    """Falls from 1 to `final` along half a cosine between `begin` and `end`.

    Args:
        begin: until when it is 1.
        end: when `final` is reached.
        final: the last factor, 0..1.
    """

    def __init__(self, begin: int | float = 0, end: int | float = 1.0, final: float = 0.0) -> None:
        if not 0 <= final <= 1:
            raise ValueError(f'final must be in 0..1, got {final!r}')
        self.begin, self.end, self.final = _check_time('begin', begin), _check_time('end', end), final

    def factor(self, iteration: int, total: int) -> float:
        """Return the falling factor."""
        begin, end = _iterations(self.begin, total), _iterations(self.end, total)
        share = 1.0 if end <= begin else min(1.0, max(0.0, (iteration - begin) / (end - begin)))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * share)) / 2


@SCHEDULES.register_module()
class Until:
    """1 before `end`, then 0: the student finishes on the labels alone.

    Args:
        end: when the term is switched off.
    """

    def __init__(self, end: int | float) -> None:
        self.end = _check_time('end', end)

    def factor(self, iteration: int, total: int) -> float:
        """Return 1 before the end, else 0."""
        return 1.0 if iteration < _iterations(self.end, total) else 0.0
