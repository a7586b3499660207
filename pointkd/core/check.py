"""Checks of array shapes by named axes, for numpy arrays and torch tensors alike."""

from __future__ import annotations

from typing import Protocol

from pointkd.core.errors import ShapeError


class HasShape(Protocol):
    """Anything with a `shape` tuple: numpy arrays, torch tensors."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""


def check_shape(array: HasShape, axes: str, name: str) -> dict[str, int]:
    """Raise unless an array has the axes asked for, and return their lengths.

    Args:
        array: array or tensor of any type.
        axes: axis names or numbers with spaces between, `'N 7'` or `'B C H W'`; the same name twice means the same
            length.
        name: how the message calls the array.

    Returns:
        Length by axis name.

    Raises:
        ShapeError: another number of axes, or another length where a number (or a repeated name) asks for one.

    Example:
        >>> import numpy
        >>> check_shape(numpy.zeros((5, 7)), 'N 7', 'boxes')
        {'N': 5}
    """
    wanted = axes.split()
    shape = tuple(int(length) for length in array.shape)
    sizes: dict[str, int] = {}
    ok = len(shape) == len(wanted)
    for axis, length in zip(wanted, shape, strict=False):
        if axis.isdigit():
            ok = ok and int(axis) == length
        else:
            ok = ok and sizes.setdefault(axis, length) == length
    if not ok:
        raise ShapeError(f'{name}: expected shape ({", ".join(wanted)}), got {shape}')
    return sizes
