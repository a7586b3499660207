"""Error classes and the sentence they carry: what was expected, what came, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PointKDError(Exception):
    """Base of every error that pointkd raises on purpose; the command line prints it as one line."""


class ConfigError(PointKDError, ValueError):
    """A config, an option or a command-line argument is wrong."""


class DataError(PointKDError, ValueError):
    """A file or a sample of a data set is missing, truncated or inconsistent."""


class ShapeError(PointKDError, ValueError):
    """An array has other dimensions than a function asks for."""


class CheckpointError(PointKDError, ValueError):
    """A checkpoint is missing, refused, or does not belong to this network."""


class ExportError(PointKDError, RuntimeError):
    """A network can't be exported, or what was exported does not give the same answers."""


class StackError(PointKDError, ImportError):
    """A package or system library that this action needs is missing or of the wrong kind."""


class StorageError(PointKDError, OSError):
    """A file could not be written (full disk, no permission); what stood there before is intact."""


class TrainingError(PointKDError, RuntimeError):
    """Training can't go on: the teacher is wrong, too many frames are broken, a loss is not finite."""


def nearest(name: str, options: Iterable[str], count: int = 3) -> str:
    """Return a phrase that names the options closest to a misspelt name.

    Args:
        name: what was asked for.
        options: what exists.
        count: how many names to give at most.

    Returns:
        For example `did you mean 'backbone' or 'bbox_head'?`; the sorted options where none is close.

    Example:
        >>> nearest('bakbone', ['backbone', 'neck'])
        "did you mean 'backbone'?"
    """
    names = sorted(set(options))
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return 'did you mean ' + ' or '.join(repr(word) for word in close) + '?'
    if not names:
        return 'there are none to choose from'
    shown = ', '.join(names[:20]) + (', ...' if len(names) > 20 else '')
    return f'choose one of: {shown}'
