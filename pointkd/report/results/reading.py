"""Reads a suite's file: plain Python with one variable `suite`, checked key by key."""

from __future__ import annotations

import dataclasses
import runpy
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pointkd.core.errors import ConfigError, nearest
from pointkd.report.results.suite import Suite

T = TypeVar('T')


def suite_files(home: Path) -> dict[str, Path]:
    """Return the suites of a checkout by name: `configs/results/NAME.py`."""
    return {path.stem: path for path in sorted((home / 'configs' / 'results').glob('*.py'))}


def read_suite(home: Path, name: str) -> Suite:
    """Return a suite of a checkout.

    Args:
        home: the checkout.
        name: of the suite.

    Raises:
        ConfigError: no such suite, or a key of it is unknown, missing or of the wrong kind; the message names the place
            and the nearest right name.
    """
    files = suite_files(home)
    if name not in files:
        raise ConfigError(f'no suite {name!r} in {home / "configs" / "results"}: {nearest(name, files)}')
    try:
        content = runpy.run_path(str(files[name]))
    except Exception as error:  # a suite is code: whatever it raises, the user must see which file did
        raise ConfigError(f'{files[name]}: can not be read: {type(error).__name__}: {error}') from error
    if 'suite' not in content:
        raise ConfigError(f'{files[name]}: defines no variable `suite`; write suite = dict(...)')
    try:
        return build(Suite, {'name': name, **content['suite']}, 'suite')
    except ConfigError as error:
        raise ConfigError(f'{files[name]}: {error}') from error


def build(kind: type[T], block: Any, where: str) -> T:
    """Return a dataclass made from a dict, nested ones too.

    Args:
        kind: a dataclass.
        block: dict of its fields.
        where: how messages call the place.

    Raises:
        ConfigError: an unknown key (the nearest is named), a missing one, or a value of another type.
    """
    if not isinstance(block, Mapping):
        raise ConfigError(f'{where}: expected a dict, got {block!r}')
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in block:
        if key not in fields:
            raise ConfigError(f'{where}: unknown key {key!r}: {nearest(str(key), fields)}')
    for name, entry in fields.items():
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if required and name not in block:
            raise ConfigError(f'{where}: {name!r} is missing')
    return kind(**{key: _value(hints[key], value, f'{where}.{key}') for key, value in block.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return a value as a type hint asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in arguments if option is not type(None)]
        return None if value is None else _value(inner[0], value, where)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    if origin is list:
        entries = _checked(list, list(value) if isinstance(value, tuple) else value, where)
        return [_value(arguments[0], entry, f'{where}[{number}]') for number, entry in enumerate(entries)]
    if origin is dict:
        items = _checked(dict, value, where).items()
        return {_checked(str, key, where): _value(arguments[1], entry, f'{where}.{key}') for key, entry in items}
    if hint is float and type(value) is int:
        return float(value)
    return _checked(hint, value, where)


def _checked(kind: type, value: Any, where: str) -> Any:
    """Return a value, or say that it is of another type."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f'{where}: expected {kind.__name__}, got {value!r}')
    return value
