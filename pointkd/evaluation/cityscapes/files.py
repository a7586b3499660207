"""Finds the files of an evaluation: each label with its prediction, and the instances beside it."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from pointkd.core.errors import DataError

LABEL, INSTANCE = '_gtFine_labelIds.png', '_gtFine_instanceIds.png'


@dataclass(frozen=True)
class Pair:
    """The files of one image.

    Attributes:
        label: ids.
        prediction: predicted ids.
        instance: instances, None where the file is missing.
    """

    label: str
    prediction: str
    instance: str | None


@dataclass(frozen=True)
class Files:
    """The files of an evaluation.

    Attributes:
        pairs: one an image, in order of their names.
        extra: PNG files of the results that belong to no label.
    """

    pairs: list[Pair]
    extra: int

    def with_instances(self) -> bool:
        """Return whether the instance images are there."""
        return all(pair.instance for pair in self.pairs)


def find_files(labels: str | Path, results: str | Path) -> Files:
    """Find each label's prediction: the one PNG whose name begins with the label's `CITY_SEQ_FRAME`.

    Args:
        labels: folder with `CITY_SEQ_FRAME_gtFine_labelIds.png`, at any depth.
        results: folder with predictions, at any depth.

    Raises:
        DataError: a folder is missing or has no such file; a label has no prediction, or more than one, or is there
            twice; some labels have an instance image beside them and others not.
    """
    found = sorted(path for path in _png_files(labels, 'labels') if path.endswith(LABEL))
    if not found:
        raise DataError(f'{labels}: no label files (CITY_SEQ_FRAME{LABEL}) in this folder')
    by_name = sorted((os.path.basename(path), path) for path in _png_files(results, 'results'))
    names = [name for name, _ in by_name]
    used: set[int] = set()
    pairs, stems = [], set()
    for label in found:
        stem = os.path.basename(label).removesuffix(LABEL)
        if stem in stems:
            raise DataError(f'{label}: there is another label file of this name below {labels}')
        stems.add(stem)
        places = _places(names, stem)
        used.update(places)
        instance = label.removesuffix(LABEL) + INSTANCE
        prediction = _only([by_name[place][1] for place in places], stem, label, results)
        pairs.append(Pair(label, prediction, instance if os.path.exists(instance) else None))
    _check_instances(pairs)
    return Files(pairs, extra=len(names) - len(used))


def _png_files(folder: str | Path, kind: str) -> list[str]:
    """Return all PNG files below a folder."""

    def stop(error: OSError) -> None:
        raise DataError(f'{kind}: the folder {error.filename} can not be read ({error.strerror})') from error

    return [
        os.path.join(place, name)
        for place, _, names in os.walk(folder, onerror=stop)
        for name in names
        if name.endswith('.png') and not name.startswith('.')
    ]


def _places(names: list[str], stem: str) -> range:
    """Return which of the sorted names begin with a stem."""
    start = stop = bisect_left(names, stem)
    while stop < len(names) and names[stop].startswith(stem):
        stop += 1
    return range(start, stop)


def _only(predictions: list[str], stem: str, label: str, results: str | Path) -> str:
    """Return the one prediction of a label."""
    if not predictions:
        raise DataError(f'{label}: no prediction for it: expected one file {stem}*.png below {results}')
    if len(predictions) > 1:
        raise DataError(
            f'{label}: more than one prediction for it: expected one file {stem}*.png, '
            f'found {", ".join(predictions[:3])}'
        )
    return predictions[0]


def _check_instances(pairs: list[Pair]) -> None:
    """Raise where some labels have an instance image and others have none."""
    missing = [pair.label for pair in pairs if pair.instance is None]
    if missing and len(missing) < len(pairs):
        raise DataError(
            f'{missing[0].removesuffix(LABEL)}{INSTANCE} is missing ({len(missing)} of {len(pairs)} labels have none): '
            'iIoU needs all of them; without any it is null'
        )
