"""Finds and reads folders of VisDrone files, and the sizes of the images."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.images import find_image, image_size
from pointkd.core.visdrone import read_rows
from pointkd.evaluation.visdrone.rows import RowTable, table_of
from pointkd.evaluation.visdrone.rules import COLUMNS


@dataclass(frozen=True)
class ImageFiles:
    """The files that an evaluation reads.

    Attributes:
        stems: names of the images, in alphabetical order of their label files.
        labels: label file of each.
        results: result file of each, None where there is none.
        extra: result files of images that have no label file.
    """

    stems: list[str]
    labels: list[str]
    results: list[str | None]
    extra: int

    @property
    def missing(self) -> int:
        """Number of images without a result file."""
        return sum(path is None for path in self.results)


def find_files(labels: str | Path, results: str | Path) -> ImageFiles:
    """Find the label and result file of every image.

    Args:
        labels: folder of label files `STEM.txt`; they decide which images count.
        results: folder of result files `STEM.txt`.

    Raises:
        DataError: a folder is missing, there are no labels, or the result files are all of other images.
    """
    labelled, detected = _text_files(labels, 'labels'), set(_text_files(results, 'results'))
    if not labelled:
        raise DataError(f'{labels}: no label files (STEM.txt) in this folder')
    if detected and not detected & set(labelled):
        raise DataError(
            f'{results}: none of the {len(detected)} result files belongs to a label file '
            f'(labels are named like {labelled[0]!r}, results like {min(detected)!r})'
        )
    return ImageFiles(
        stems=[name.removesuffix('.txt') for name in labelled],
        labels=[f'{labels}/{name}' for name in labelled],
        results=[f'{results}/{name}' if name in detected else None for name in labelled],
        extra=len(detected - set(labelled)),
    )


def read_table(files: Sequence[str | None]) -> RowTable:
    """Read label or result files; None stands for an image without rows.

    Raises:
        DataError: see `pointkd.core.visdrone.read_rows`; the message names file and line.
    """
    images = [None if file is None else read_rows(file, COLUMNS) for file in files]
    return table_of(images, lambda number: str(files[number]))


def read_sizes(path: str | Path, stems: Sequence[str]) -> np.ndarray:
    """Read image sizes from a JSON file `{"STEM": [width, height]}`.

    Returns:
        (F, 2) float64, width and height of the images of the stems, NaN where the file does not name one.

    Raises:
        DataError: the file can't be read or has another form.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    except ValueError as error:
        raise DataError(f'{path}: is not a JSON file ({error})') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: expected {{"STEM": [width, height]}}, got a {type(content).__name__}')
    sizes = np.full((len(stems), 2), np.nan)
    for number, stem in enumerate(stems):
        if stem in content:
            sizes[number] = _checked_size(content[stem], f'{path}: {stem}')
    return sizes


def measure_images(folder: str | Path, stems: Sequence[str], wanted: np.ndarray) -> np.ndarray:
    """Read image sizes from the headers of images.

    Args:
        folder: holds `STEM.jpg`, `.jpeg` or `.png`.
        stems: names of the images.
        wanted: (F,) bool, images to look at.

    Returns:
        (F, 2) float64, width and height, NaN for those not looked at.

    Raises:
        DataError: an image is missing or broken.
    """
    sizes = np.full((len(stems), 2), np.nan)
    for number in np.flatnonzero(wanted):
        path = find_image(folder, stems[number])
        if path is None:
            raise DataError(f'{folder}: no image {stems[number]}.jpg (or .jpeg, .png)')
        sizes[number] = image_size(path)
    return sizes


def _checked_size(entry: object, place: str) -> list[float]:
    """Return a width and a height; they must be whole numbers above zero."""
    if not (isinstance(entry, list) and len(entry) == 2 and all(_is_pixels(value) for value in entry)):
        raise DataError(f'{place}: expected [width, height] in whole pixels, got {entry!r}')
    return [float(value) for value in entry]


def _is_pixels(value: object) -> bool:
    """Return whether a value is a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value >= 1 and float(value).is_integer()


def _text_files(folder: str | Path, kind: str) -> list[str]:
    """Return the names of a folder's text files, in alphabetical order."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(f'{kind}: the folder {folder} can not be read ({error.strerror})') from error
    return sorted(name for name in names if name.endswith('.txt') and not name.startswith('.'))
