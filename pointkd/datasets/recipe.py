"""What a folder of generated data was made from, so that two recipes never mix in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json

RECIPE_FILE = 'synthetic.json'


def check_recipe(root: Path, recipe: Mapping[str, Any], things: str) -> None:
    """Write down what a folder's data are made from, or make sure that it is the same.

    Args:
        root: the folder.
        recipe: everything that decides the data, as JSON holds it.
        things: what they are, for the message: 'scenes'.

    Raises:
        ConfigError: the folder holds data of another recipe, or its note of it is broken.
        StorageError: the note can't be written.
    """
    path = root / RECIPE_FILE
    if not path.is_file():
        write_json(path, recipe)
        return
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ConfigError(f'{path}: is not JSON ({error}); delete the folder or choose another --out') from error
    if found != recipe:
        raise ConfigError(
            f'{root} holds {things} made with {found}, asked for are {recipe}: '
            'choose another --out, or delete the folder'
        )
