"""Makes what mmseg trains on: label images of train ids, lists of names, links to the photographs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from pointkd.core.errors import DataError
from pointkd.core.files import atomic_write, write_text
from pointkd.core.label_images import read_label_image, write_label_image
from pointkd.datasets import camvid_layout, cityscapes_layout
from pointkd.datasets.parallel import map_frames
from pointkd.datasets.segmentation_check import LabelRules, read_photograph, read_values

SPLITS_FOLDER = 'splits'
Progress = Callable[[int, int], None]
Task = tuple[Path, Path, Path | None, Path | None]  # label, where its train ids go, image, where that goes


def prepare_camvid(
    root: str | Path, out: str | Path, jobs: int = 1, progress: Progress = lambda done, total: None
) -> dict[str, int]:
    """Make a data set for `CamVidDataset` out of CamVid in SegNet's layout.

    Writes `labels/SPLIT/NAME.png` (0..10, 255 ignored), `images/SPLIT/NAME.png` (links; images of other kinds are
    written anew as PNG, without loss) and `splits/SPLIT.txt`; for each drive of train `splits/train-DRIVE.txt` and
    `splits/train-without-DRIVE.txt`, so that settings can be chosen on frames whose neighbours were not trained on.

    Args:
        root: folder with train.txt, val.txt, test.txt.
        out: folder to write to; what is there and right is kept.
        jobs: number of processes.
        progress: called with the number of images done and to do.

    Returns:
        Number of images by split.

    Raises:
        DataError: a list, an image or a label is missing or broken, or train shares an image with another list.
    """
    lists = {}
    for split, path in camvid_layout.list_paths(root).items():
        lists[split], problems = camvid_layout.read_list(root, path, split)
        if problems:
            raise DataError(problems[0].message)
    for first, second in combinations(lists, 2):
        both = {pair.image for pair in lists[first]} & {pair.image for pair in lists[second]}
        if both:
            raise DataError(f'{root}: {len(both)} images are in both {first} and {second}, first {min(both)}')
    out = Path(out)
    tasks: list[Task] = [
        (pair.label, out / 'labels' / f'{pair.name}.png', pair.image, out / 'images' / f'{pair.name}.png')
        for pairs in lists.values()
        for pair in pairs
    ]
    _run(camvid_layout.label_rules(), tasks, jobs, progress)
    names = {split: [pair.name for pair in pairs] for split, pairs in lists.items()}
    for split, members in {**names, **_by_drive(names['train'])}.items():
        write_text(out / SPLITS_FOLDER / f'{split}.txt', ''.join(f'{name}\n' for name in members))
    return {split: len(members) for split, members in names.items()}


def _by_drive(names: list[str]) -> dict[str, list[str]]:
    """Return lists of the frames of each drive and of all others, where there are several.

    Example:
        >>> _by_drive(['train/A_1', 'train/B_1'])['train-without-A']
        ['train/B_1']
    """
    drives: dict[str, list[str]] = {}
    for name in names:
        drives.setdefault(Path(name).name.partition('_')[0], []).append(name)
    if len(drives) < 2:
        return {}
    lists = {f'train-{drive}': members for drive, members in drives.items()}
    for drive, members in drives.items():
        lists[f'train-without-{drive}'] = [name for name in names if name not in set(members)]
    return lists


def prepare_cityscapes(
    root: str | Path,
    out: str | Path | None = None,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> dict[str, int]:
    """Make the label images of train ids that mmseg's `CityscapesDataset` reads, and lists.

    Writes `gtFine/SPLIT/CITY/..._gtFine_labelTrainIds.png` beside the labels and `splits/SPLIT.txt` (`CITY/CITY_...`);
    with another folder than the root also links to the photographs, labels and instances.

    Args:
        root: folder with leftImg8bit and gtFine.
        out: folder to write to; default the root. What is there and right is kept.
        jobs: number of processes.
        progress: called with the number of images done and to do.

    Returns:
        Number of images by split.

    Raises:
        DataError: there is no split, or an image or label is missing or broken (labels of test may be missing).
    """
    root, out = Path(root), Path(out or root)
    splits = {split: cityscapes_layout.find_pairs(root, split) for split in cityscapes_layout.splits_of(root)}
    tasks: list[Task] = []
    for pair in (pair for pairs in splits.values() for pair in pairs):
        if not pair.image.is_file():
            raise DataError(f'{pair.image} is missing, its label {pair.label} is there')
        if pair.label.is_file():
            assert pair.train_ids is not None
            tasks.append((pair.label, out / pair.train_ids.relative_to(root), None, None))
        elif pair.split != 'test':
            raise DataError(f'{pair.label} is missing, its image {pair.image} is there')
    if out.resolve() != root.resolve():
        for pair in (pair for pairs in splits.values() for pair in pairs):
            for source in (pair.image, pair.label, pair.instances):
                if source is not None and source.is_file():
                    link(source, out / source.relative_to(root))
    _run(cityscapes_layout.label_rules(), tasks, jobs, progress)
    for split, pairs in splits.items():
        names = ''.join(f'{pair.name.removeprefix(f"{split}/")}\n' for pair in pairs)
        write_text(out / SPLITS_FOLDER / f'{split}.txt', names)
    return {split: len(pairs) for split, pairs in splits.items()}


def _run(rules: LabelRules, tasks: Sequence[Task], jobs: int, progress: Progress) -> None:
    """Convert all labels."""
    progress(0, len(tasks))
    for done, _ in enumerate(map_frames(partial(convert, rules), tasks, jobs), 1):
        progress(done, len(tasks))


def convert(rules: LabelRules, task: Task) -> None:
    """Write the train ids of one label image, and its photograph.

    Raises:
        DataError: a file is missing or broken.
    """
    label, target, image, place = task
    train_ids = rules.table[read_values(label, rules)]
    if image is not None and place is not None:
        if not image.is_file():
            raise DataError(f'{image} is missing, its label {label} is there')
        place_photograph(image, place)
    if not _holds(target, train_ids):
        write_label_image(target, train_ids)


def place_photograph(image: Path, place: Path) -> None:
    """Link to a PNG photograph; write others anew as PNG.

    Raises:
        DataError: it can't be decoded, or something else is in the way of a link.
    """
    if image.suffix == '.png':
        link(image, place)
        return
    values = read_photograph(image)
    if not place.is_file() or not _equal(place, values):
        with atomic_write(place) as file:
            Image.fromarray(values).save(file, format='PNG')


def _equal(path: Path, values: np.ndarray) -> bool:
    """Return whether a photograph is there with these values."""
    try:
        return np.array_equal(read_photograph(path), values)
    except DataError:
        return False


def link(source: Path, place: Path) -> None:
    """Link to a file by its absolute path.

    Raises:
        DataError: something else is in the way.
    """
    source = source.resolve()
    if place.is_symlink() and not place.exists():  # its target is gone
        place.unlink()
    if place.exists():
        if place.resolve() != source:
            raise DataError(f'{place} is in the way: expected a link to {source}; remove it, or write elsewhere')
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(source, place)


def _holds(path: Path, values: np.ndarray) -> bool:
    """Return whether a label image is there with these values."""
    try:
        return path.is_file() and np.array_equal(read_label_image(path), values)
    except DataError:
        return False
