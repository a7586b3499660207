"""Finds or makes the data of a suite and what training reads of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import DataError
from pointkd.core.files import write_json
from pointkd.report.results.kinds import kind_of
from pointkd.report.results.parts import Dataset
from pointkd.report.results.places import CHECKOUT, Places
from pointkd.report.results.records import read_json

SHARED = 'POINTKD_SHARED'  # environment variable: folder whose `data` holds data sets of the user
READY = 'ready.json'  # in a prepared folder: what it was made from


def prepare(places: Places, dataset: Dataset, given: Mapping[str, Path], say: Callable[[str], None]) -> Path:
    """Return the folder of a data set, ready to train on; it is made where it is missing or was made otherwise.

    Args:
        places: of the suite.
        dataset: the data set.
        given: folders that the user named, by data set.
        say: prints a line.

    Raises:
        DataError: data of the user are not there.
        TrainingError: a command failed.
    """
    folder = places.data(dataset.name)
    source = None if dataset.root is None else source_folder(dataset, given)
    recipe = _recipe(dataset, source)
    if (folder / READY).is_file():
        if read_json(folder / READY) == recipe:
            return folder
        shutil.rmtree(folder)  # links, copies and made frames: nothing of the user's
    say(f'{dataset.name}: preparing the data in {folder}')
    kind_of(dataset).prepare(places, dataset, source, folder)
    write_json(folder / READY, recipe)
    return folder


def source_folder(dataset: Dataset, given: Mapping[str, Path]) -> Path:
    """Return where the user's data lie: as given, else in the shared folder.

    Raises:
        DataError: not there.
    """
    shared = Path(os.environ.get(SHARED, CHECKOUT.parent / 'shared'))
    folder = given.get(dataset.name, shared / 'data' / str(dataset.root))
    lacks = kind_of(dataset).check_source(dataset, folder)
    if lacks:
        raise DataError(f'{dataset.name}: {lacks}; name the data with --data {dataset.name}=DIR, or set {SHARED}')
    return folder.resolve()


def _recipe(dataset: Dataset, source: Path | None) -> dict[str, Any]:
    """Return what decides the content of a prepared folder."""
    return {
        'make': dataset.make,
        'source': None if source is None else str(source),
        'lists': dataset.lists,
        'frames': dataset.frames,
        'prepare': dataset.prepare,
    }
