"""Finds or makes the data of a suite and what training reads of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError, DataError
from pointkd.core.files import write_json, write_text
from pointkd.report.results.parts import PARTS, Dataset
from pointkd.report.results.places import CHECKOUT, Places
from pointkd.report.results.processes import run_verb
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
    lists = dict(dataset.lists)
    if source is None:
        _make(places, dataset, folder)
        lists = write_lists(dataset, folder)
    splits = ','.join(f'{part}={lists[part]}' for part in PARTS)
    words = ['create-data', 'kitti', '--root', str(source or folder), '--out', str(folder), '--splits', splits]
    run_verb([*words, *dataset.prepare.split()], home=places.home, threads=1, output=places.work / 'data.txt')
    write_json(folder / READY, recipe)
    return folder


def source_folder(dataset: Dataset, given: Mapping[str, Path]) -> Path:
    """Return where the user's data lie: as given, else in the shared folder.

    Raises:
        DataError: not there.
    """
    shared = Path(os.environ.get(SHARED, CHECKOUT.parent / 'shared'))
    folder = given.get(dataset.name, shared / 'data' / str(dataset.root))
    if not (folder / 'training').is_dir():
        raise DataError(
            f'{dataset.name}: {folder} has no folder training/; name the data with --data {dataset.name}=DIR, or set '
            f'{SHARED}'
        )
    return folder.resolve()


def frames_of(dataset: Dataset, folder: Path, part: str) -> list[str]:
    """Return the IDs of the frames of a part.

    Args:
        dataset: the data set.
        folder: as `prepare` gives it.
        part: 'train', 'val' or 'test'.
    """
    name = _own_list(part) if dataset.root is None else part
    return (folder / 'ImageSets' / f'{name}.txt').read_text(encoding='utf-8').split()


def write_lists(dataset: Dataset, folder: Path) -> dict[str, str]:
    """Cut made frames, in their order, into lists of their own; return the name of the list of each part.

    Raises:
        ConfigError: the command made fewer frames than the lists need.
    """
    made = sorted(path.stem for path in (folder / 'training' / 'velodyne').glob('*.bin'))
    needed = sum(dataset.frames.values())
    if len(made) < needed:
        raise ConfigError(f'{dataset.name}: `{dataset.make}` makes {len(made)} frames, the lists need {needed}')
    begin = 0
    for part in PARTS:
        end = begin + dataset.frames[part]
        text = ''.join(f'{frame}\n' for frame in made[begin:end])
        write_text(folder / 'ImageSets' / f'{_own_list(part)}.txt', text)
        begin = end
    return {part: _own_list(part) for part in PARTS}


def _own_list(part: str) -> str:
    """Return the name of the list that a suite makes of a part."""
    return f'results_{part}'


def _make(places: Places, dataset: Dataset, folder: Path) -> None:
    """Make the frames that are missing."""
    words = [*str(dataset.make).split(), '--out', str(folder)]
    run_verb(words, home=places.home, threads=1, output=places.work / 'data.txt')


def _recipe(dataset: Dataset, source: Path | None) -> dict[str, Any]:
    """Return what decides the content of a prepared folder."""
    return {
        'make': dataset.make,
        'source': None if source is None else str(source),
        'lists': dataset.lists,
        'frames': dataset.frames,
        'prepare': dataset.prepare,
    }
