"""Frames in KITTI's layout: official AP of result files, at every set of overlaps that a data set asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError, DataError
from pointkd.core.files import write_text
from pointkd.evaluation.kitti import evaluate_folders
from pointkd.report.results.kinds.base import Metrics
from pointkd.report.results.parts import OFFICIAL, PARTS, Column, Dataset
from pointkd.report.results.places import Places
from pointkd.report.results.processes import run_verb

DIFFICULTIES = ('easy', 'moderate', 'hard')
METRICS = ('bbox', 'bev', '3d')
RESULTS = 'results'  # in a work folder: what the test writes


class Kitti:
    """Point clouds with KITTI's labels."""

    meaning = 'AP at 40 recall positions in percent'
    unit = 'AP in percent'

    def check_source(self, dataset: Dataset, folder: Path) -> str | None:
        """Return what is missing: the folder of the training frames."""
        return None if (folder / 'training').is_dir() else f'{folder} has no folder training/'

    def prepare(self, places: Places, dataset: Dataset, source: Path | None, folder: Path) -> None:
        """Write info files and the database of objects; made frames are cut into lists before."""
        lists = dict(dataset.lists)
        if source is None:
            make = [*str(dataset.make).split(), '--out', str(folder)]
            run_verb(make, home=places.home, threads=1, output=places.work / 'data.txt')
            lists = write_lists(dataset, folder)
        splits = ','.join(f'{part}={lists[part]}' for part in PARTS)
        words = ['create-data', 'kitti', '--root', str(source or folder), '--out', str(folder), '--splits', splits]
        run_verb([*words, *dataset.prepare.split()], home=places.home, threads=1, output=places.work / 'data.txt')

    def part_options(self, dataset: Dataset, part: str, data: Path | str) -> dict[str, Any]:
        """Return the changes that read another info file."""
        infos = f'kitti_infos_{part}.pkl'
        return {'test_dataloader.dataset.ann_file': infos, 'test_evaluator.ann_file': f'{data}/{infos}'}

    def test_words(self, folder: Path) -> list[str]:
        """Return where result files go."""
        return ['--out', str(folder / RESULTS)]

    def score(self, dataset: Dataset, data: Path, folder: Path, part: str) -> tuple[Metrics, int]:
        """Return AP at 40 recall positions by overlaps, class and metric: easy, moderate, hard in percent."""
        frames = frames_of(dataset, data, part)
        results = folder / RESULTS / 'pred_instances_3d'
        sets = overlap_sets(dataset)
        return {name: _score(dataset, data, results, frames, entry) for name, entry in sets.items()}, len(frames)

    def value(self, metrics: Mapping[str, Any], dataset: Dataset, column: Column) -> float:
        """Return the mean of a column's classes; an AP of None (no detection speaks of it) counts as 0, as in KITTI."""
        position = DIFFICULTIES.index(column.difficulty)
        values = []
        for name in column.classes or dataset.classes:
            where = f'{name}, {column.metric}, overlaps {column.overlaps}'
            try:
                value = metrics[column.overlaps][name][column.metric][position]
            except (KeyError, IndexError, TypeError) as error:
                raise DataError(f'no AP of {where}') from error
            good = isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 100
            if value is not None and not good:
                raise DataError(f'AP of {where} is {value}')
            values.append(float(value or 0.0))
        return sum(values) / len(values)


def frames_of(dataset: Dataset, folder: Path, part: str) -> list[str]:
    """Return the IDs of the frames of a part.

    Args:
        dataset: the data set.
        folder: as `prepare` makes it.
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


def overlap_sets(dataset: Dataset) -> dict[str, Any]:
    """Return what `evaluate_folders` takes as `min_overlaps`, by name; the 2D boxes keep the official overlaps."""
    sets: dict[str, Any] = {OFFICIAL: None}
    for name, overlaps in dataset.overlaps.items():
        sets[name] = {class_: {'bev': value, '3d': value} for class_, value in overlaps.items()}
    return sets


def _own_list(part: str) -> str:
    """Return the name of the list that a suite makes of a part."""
    return f'results_{part}'


def _score(
    dataset: Dataset, data: Path, results: Path, frames: list[str], overlaps: Any
) -> dict[str, dict[str, list[float | None]]]:
    """Return the APs at one set of overlaps."""
    report = evaluate_folders(data / 'training' / 'label_2', results, frames=frames, min_overlaps=overlaps)
    return {
        name: {metric: [_rounded(value) for value in report[name][metric]['AP40']] for metric in METRICS}
        for name in dataset.classes
    }


def _rounded(value: float | None) -> float | None:
    """Return a number with four decimals, None as it is."""
    return None if value is None else round(float(value), 4)
