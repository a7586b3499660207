"""Is an image with its label image fit for training? Names what is wrong with its files."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from pointkd.core.errors import DataError, PointKDError
from pointkd.core.label_images import read_label_image
from pointkd.evaluation.cityscapes import CityscapesCounter

VOID = 255  # class of what is not learnt

# Kinds of problem, and whether one makes its image broken (else it is only worth a look).
KINDS = {
    'bad list': True,
    'missing image': True,
    'missing label': True,
    'bad image': True,
    'bad label': True,
    'label value': True,
    'size mismatch': True,
    'bad instances': True,
    'bad train ids': True,
    'all void': False,
    'missing instances': False,
    'missing train ids': False,
    'other train ids': False,
}


@dataclass(frozen=True)
class LabelProblem:
    """Something wrong with an image or a list: a key of `KINDS`, and what was found where."""

    kind: str
    message: str


@dataclass(frozen=True)
class LabelRules:
    """What a label image may hold.

    Attributes:
        classes: names of the classes that are learnt.
        table: (256,) uint8, class by value, VOID where it is not learnt.
        values: legal values are 0..values-1.
    """

    classes: tuple[str, ...]
    table: np.ndarray
    values: int


@dataclass(frozen=True)
class Pair:
    """The files of one image.

    Attributes:
        name: `SPLIT/...`, for messages.
        split: train, val or test.
        image: photograph.
        label: label image.
        instances, train_ids: further label images of Cityscapes, None elsewhere.
    """

    name: str
    split: str
    image: Path
    label: Path
    instances: Path | None = None
    train_ids: Path | None = None


@dataclass(frozen=True)
class PairReport:
    """What was found in one image.

    Attributes:
        pair: its files.
        problems: what is wrong with it.
        pixels: (K+1,) int64, pixels of each class, then VOID; zeros where the label can't be read.
    """

    pair: Pair
    problems: list[LabelProblem] = field(default_factory=list)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def broken(self) -> bool:
        """Return whether the image is unfit for training."""
        return any(KINDS[problem.kind] for problem in self.problems)


def check_pair(rules: LabelRules, pair: Pair) -> PairReport:
    """Check the files of one image."""
    problems: list[LabelProblem] = []
    size = _image_size(pair, problems)
    labels = _labels(pair, rules, problems)
    if labels is None:
        return PairReport(pair, problems, np.zeros(len(rules.classes) + 1, np.int64))
    if size is not None and size != labels.shape:
        message = f'{pair.label}: {_size(labels.shape)}, but the image {pair.image.name} is {_size(size)}'
        problems.append(LabelProblem('size mismatch', message))
    classes = rules.table[labels]
    pixels = np.bincount(np.minimum(classes, len(rules.classes)).ravel(), minlength=len(rules.classes) + 1)
    if not pixels[:-1].any() and pair.split != 'test':  # Cityscapes keeps the labels of its test split secret
        problems.append(LabelProblem('all void', f'{pair.label}: no pixel has a class that is learnt'))
    _check_instances(pair, labels, problems)
    _check_train_ids(pair, classes, problems)
    return PairReport(pair, problems, pixels)


def read_photograph(path: Path) -> np.ndarray:
    """Return a photograph, (H, W, 3) uint8 (or (H, W) where it is grey).

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f'{path}: the image can not be decoded ({error})') from error


def read_values(path: Path, rules: LabelRules) -> np.ndarray:
    """Return a label image whose values are all legal, (H, W) uint8.

    Raises:
        DataError: it can't be read, or has an illegal value.
    """
    labels = read_label_image(path)
    _check_values(path, labels, rules)
    return labels.astype(np.uint8)


def _check_values(path: Path, labels: np.ndarray, rules: LabelRules) -> None:
    """Raise where a value is illegal."""
    wrong, counts = np.unique(labels[labels >= rules.values], return_counts=True)
    if wrong.size:
        found = ', '.join(map(str, wrong[:5])) + (', ...' if wrong.size > 5 else '')
        raise DataError(f'{path}: expected values 0..{rules.values - 1}, got {found} ({counts.sum()} pixels)')


def _image_size(pair: Pair, problems: list[LabelProblem]) -> tuple[int, int] | None:
    """Return height and width of the photograph; None, and a problem, where there is none."""
    if not pair.image.is_file():
        problems.append(LabelProblem('missing image', f'{pair.image} is missing'))
        return None
    try:
        height, width = read_photograph(pair.image).shape[:2]
        return height, width
    except DataError as error:
        problems.append(LabelProblem('bad image', str(error)))
        return None


def _labels(pair: Pair, rules: LabelRules, problems: list[LabelProblem]) -> np.ndarray | None:
    """Return the label image; None, and a problem, where it can't be used."""
    if not pair.label.is_file():
        if pair.split != 'test':
            problems.append(LabelProblem('missing label', f'{pair.label} is missing'))
        return None
    try:
        labels = read_label_image(pair.label)
    except DataError as error:
        problems.append(LabelProblem('bad label', str(error)))
        return None
    try:
        _check_values(pair.label, labels, rules)
    except DataError as error:
        problems.append(LabelProblem('label value', str(error)))
        return None
    return labels


def _check_instances(pair: Pair, labels: np.ndarray, problems: list[LabelProblem]) -> None:
    """Note what is wrong with the instance image of Cityscapes."""
    if pair.instances is None:
        return
    if not pair.instances.is_file():
        problems.append(LabelProblem('missing instances', f'{pair.instances} is missing: no iIoU'))
        return
    try:
        CityscapesCounter(boundary=False).count(labels, labels, read_label_image(pair.instances))
    except PointKDError as error:
        message = str(error)
        problems.append(
            LabelProblem('bad instances', message if str(pair.instances) in message else f'{pair.instances}: {message}')
        )


def _check_train_ids(pair: Pair, classes: np.ndarray, problems: list[LabelProblem]) -> None:
    """Note what is wrong with the train ids that were made from the label."""
    if pair.train_ids is None:
        return
    if not pair.train_ids.is_file():
        problems.append(
            LabelProblem('missing train ids', f'{pair.train_ids} is missing: pointkd create-data cityscapes makes it')
        )
        return
    try:
        made = read_label_image(pair.train_ids)
    except DataError as error:
        problems.append(LabelProblem('bad train ids', str(error)))
        return
    if made.shape != classes.shape:
        problems.append(LabelProblem('bad train ids', f'{pair.train_ids}: {_size(made.shape)}, the label is not'))
    elif (made != classes).any():
        count = int((made != classes).sum())
        message = f'{pair.train_ids}: {count} pixels are not what {pair.label.name} gives (create-data makes it anew)'
        problems.append(LabelProblem('other train ids', message))


def _size(shape: tuple[int, ...]) -> str:
    """Return width x height."""
    return f'{shape[1]} x {shape[0]}'
