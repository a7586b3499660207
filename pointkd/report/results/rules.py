"""Checks of single values in a suite, each with a message that names the place."""

from __future__ import annotations

import re
from typing import Any

from pointkd.core.errors import ConfigError, nearest

_NAME = re.compile(r'[a-z0-9][a-z0-9+.-]*')


def one_of(value: Any, options: Any, where: str) -> None:
    """Refuse a value that is not among some."""
    if value not in options:
        raise ConfigError(f'{where}: no {value!r}: {nearest(str(value), [str(o) for o in options if o is not None])}')


def at_least(value: int, least: int, where: str) -> None:
    """Refuse a number that is too small."""
    if value < least:
        raise ConfigError(f'{where}: expected {least} or more, got {value}')


def unique(names: list[str], where: str) -> None:
    """Refuse a name that stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f'{where}: {", ".join(twice)} stands there more than once')


def check_name(name: str, what: str) -> None:
    """Refuse a name that makes no good file name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f'{what} {name!r}: a name has lower-case letters, digits, "+", "." and "-"')
