"""Checks that several functions share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pointkd.core.errors import ConfigError, ShapeError, nearest


def same_shape(student: Tensor, teacher: Tensor) -> None:
    """Raise unless two tensors have the same shape.

    Raises:
        ShapeError: they differ.
    """
    if student.shape != teacher.shape:
        raise ShapeError(
            f'student and teacher: expected equal shapes, got {tuple(student.shape)} and {tuple(teacher.shape)}; '
            'match the elements and connect the widths first'
        )


def positive(value: float, name: str) -> None:
    """Raise unless a setting is above 0.

    Raises:
        ConfigError: it is 0, negative or no number.
    """
    if not value > 0:
        raise ConfigError(f'{name}: expected a number above 0, got {value!r}')


def one_of(value: str, choices: Sequence[str], name: str) -> None:
    """Raise unless a setting is one of its choices.

    Raises:
        ConfigError: it is another word; the nearest choices are given.
    """
    if value not in choices:
        raise ConfigError(f'{name}: no choice {value!r}: {nearest(str(value), choices)}')
