"""The JSON of one run: written whole, read with a check of what the tables need."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import DataError
from pointkd.core.files import write_text

# What every record has, and of which type.
ENTRIES: dict[str, type | tuple[type, ...]] = {
    'suite': str,
    'dataset': str,
    'row': str,
    'seed': int,
    'config': str,
    'factor': (int, float),
    'iterations': int,
    'commit': str,
    'numerics': dict,
    'processor': str,
    'torch': str,
    'params': int,
    'macs': int,
    'frames': int,
    'metrics': dict,
    'train_seconds': (int, float, type(None)),
    'losses': dict,
    'curve': list,
    'digest': str,
}
_FLAT_LIST = re.compile(r'\[\s+([^\[\]{}]*?)\s+\]')


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that holds an object.

    Raises:
        DataError: it can't be read.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path}: can not be read as JSON ({error})') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: holds no JSON object')
    return content


def write_compact(path: Path, content: object) -> None:
    """Write JSON atomically, indented, lists of plain values on one line; NaN is refused."""
    text = json.dumps(content, indent=1, allow_nan=False)
    write_text(path, _FLAT_LIST.sub(lambda found: '[' + re.sub(r'\s+', ' ', found.group(1)) + ']', text) + '\n')


def write_record(path: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record of a run atomically, with a digest of itself; return what was written."""
    sealed = {**record, 'digest': digest(record)}
    write_compact(path, sealed)
    return sealed


def digest(record: Mapping[str, Any]) -> str:
    """Return 16 hex digits that change with any entry but `digest`: a number changed by hand does not go unseen."""
    content = {name: value for name, value in record.items() if name != 'digest'}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_record(path: Path) -> dict[str, Any]:
    """Return the record of a run.

    Raises:
        DataError: it can't be read, or an entry is missing or of another type.
    """
    record = read_json(path)
    for name, kind in ENTRIES.items():
        if name not in record or not isinstance(record[name], kind):
            raise DataError(f'{path}: entry {name!r} is missing or of another type')
    return record
