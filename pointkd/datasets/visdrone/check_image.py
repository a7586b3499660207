"""Is an image of a data set in VisDrone layout fit for training? Names what is wrong with its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pointkd.core.errors import DataError
from pointkd.core.visdrone import CATEGORIES, CATEGORY, COLUMNS, HEIGHT, SCORE, WIDTH, X, Y, bad_rows, read_rows
from pointkd.datasets.visdrone.folder import Task

# Kinds of problem, and whether one makes its image broken (else it is only worth a look).
KINDS = {
    'missing image': True,
    'bad image': True,
    'turned image': True,
    'missing label': True,
    'bad label': True,
    'unknown category': True,
    'zero-size box': True,
    'box outside the image': True,
    'in two parts': True,
    'known zero-size box': False,
    'repeated row': False,
    'no object': False,
}
REPAIRABLE = ('zero-size box', 'box outside the image')  # what `create-data visdrone --repair` mends

# Files of the official training set with a row of height 0 (two ignored regions, one car).
KNOWN_ZERO_SIZE = ('0000293_03401_d_0000939', '9999985_00000_d_0000020', '9999999_00590_d_0000267')
_ORIENTATION, _UPRIGHT = 0x0112, 1  # tag and value of EXIF


@dataclass(frozen=True)
class Problem:
    """Something wrong with an image.

    Attributes:
        kind: a key of `KINDS`.
        message: what was found where.
    """

    kind: str
    message: str


@dataclass
class ImageReport:
    """What was found in an image and its label file.

    Attributes:
        part: name of its part.
        stem: its name.
        problems: what is wrong, nothing where all is well.
        size: width and height, None where it could not be read.
        rows: (N, 8) labels as in the file, None where they could not be read or there are none to read.
    """

    part: str
    stem: str
    problems: list[Problem] = field(default_factory=list)
    size: tuple[int, int] | None = None
    rows: np.ndarray | None = None

    def add(self, kind: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, message))

    def broken(self) -> bool:
        """Return whether training should not use the image."""
        return any(KINDS[problem.kind] for problem in self.problems)


def check_image(task: Task) -> ImageReport:
    """Check an image and its label file, each alone and against the other.

    Returns:
        The report; nothing that a file holds makes this raise.
    """
    report = ImageReport(task.part, task.stem)
    if task.image is None:
        report.add('missing image', f'{task.label}: there is no image of this name (.jpg, .jpeg, .png) in images/')
    else:
        _read_image(report, task.image)
    if task.label is not None:
        _read_label(report, task.label)
        if report.rows is not None:
            _check_rows(report, task.label, report.rows)
    return report


def _read_image(report: ImageReport, path: Path) -> None:
    """Decode the image.

    Pillow stops at a truncated file, which OpenCV fills up with grey without an error.
    """
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
            image.load()
            report.size = image.size
    except UnidentifiedImageError:
        report.add('bad image', f'{path}: is not an image')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        report.add('bad image', f'{path}: does not decode ({error})')
    else:
        if orientation != _UPRIGHT:
            message = (
                f'{path}: EXIF turns it (orientation {orientation}), which not every reader obeys; store it upright'
            )
            report.add('turned image', message)


def _read_label(report: ImageReport, path: Path) -> None:
    """Read the label file, or note each row that is wrong."""
    if not path.is_file():
        report.add('missing label', f'{path} is missing')
        return
    try:
        wrong = bad_rows(path, COLUMNS)
        if not wrong:
            report.rows = read_rows(path, COLUMNS)
    except DataError as error:
        report.add('bad label', str(error))
        return
    for place, what in wrong:
        report.add('bad label', f'{place}: {what}')


def _check_rows(report: ImageReport, path: Path, rows: np.ndarray) -> None:
    """Check the numbers of labels (N, 8)."""
    lines = label_lines(path)
    if not ((rows[:, CATEGORY] >= 1) & (rows[:, CATEGORY] < len(CATEGORIES) - 1)).any():
        report.add('no object', f'{path}: no object of the ten classes')
    for number, row in enumerate(rows):
        place = f'{path}:{lines[number]}'
        if row[CATEGORY] not in range(len(CATEGORIES)):
            report.add('unknown category', f'{place}: category {row[CATEGORY]:g}, expected 0 to {len(CATEGORIES) - 1}')
        if row[SCORE] not in (0, 1):
            report.add('bad label', f'{place}: score {row[SCORE]:g}, expected 1, or 0 for what is to be ignored')
        _check_box(report, place, row)
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    for number in np.sort(first[counts > 1]):
        report.add('repeated row', f'{path}:{lines[number]}: the same row comes again')


def _check_box(report: ImageReport, place: str, row: np.ndarray) -> None:
    """Check one box against itself and the image."""
    x, y, width, height = row[[X, Y, WIDTH, HEIGHT]]
    if width <= 0 or height <= 0:
        known = report.stem in KNOWN_ZERO_SIZE
        kind = 'known zero-size box' if known else 'zero-size box'
        report.add(kind, f'{place}: the box is {width:g} x {height:g} pixels')
    elif report.size is not None:
        right, bottom = report.size
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            box = f'{x:g},{y:g},{width:g},{height:g}'
            report.add('box outside the image', f'{place}: the box {box} reaches out of the image ({right} x {bottom})')


def label_lines(path: Path) -> list[int]:
    """Return the line of each row of a label file that can be read."""
    text = path.read_text(encoding='utf-8-sig')
    return [number for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
