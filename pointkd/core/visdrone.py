"""The text files of VisDrone-DET: labels and results, one object a row, columns separated by commas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.files import write_text

CATEGORIES = (
    'ignored regions', 'pedestrian', 'people', 'bicycle', 'car', 'van', 'truck', 'tricycle', 'awning-tricycle', 'bus',
    'motor', 'others',
)  # fmt: skip
IGNORED_REGION, OTHERS = 0, 11  # numbers of the categories that are not evaluated
CLASSES = CATEGORIES[1:OTHERS]  # number of a class in the files: its index here + 1

# Columns. The box is its upper left corner and its size, pixels; results end with -1,-1.
X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, TRUNCATION, OCCLUSION = range(8)
COLUMNS = 8


def read_rows(path: str | Path, columns: int = COLUMNS) -> np.ndarray:
    """Read the first columns of a label or result file.

    Args:
        path: text file; blank lines, a comma at the end of a row and what follows the columns asked for are skipped.
        columns: how many are needed.

    Returns:
        (N, columns) float64 in the order of the file: x, y, width, height, score, category, truncation, occlusion.

    Raises:
        DataError: the file can't be read or is not text, a row has too few columns, or one is not a finite number.
    """
    lines = read_lines(path)
    try:
        rows = np.loadtxt(lines, delimiter=',', comments=None, ndmin=2, usecols=range(columns)) if lines else None
    except ValueError as error:
        wrong = bad_rows(path, columns)
        place, what = wrong[0] if wrong else (f'{path}', f'is no table of numbers ({error})')
        raise DataError(f'{place}: {what}') from error
    if rows is None:
        return np.zeros((0, columns))
    if not np.isfinite(rows).all():
        place, what = bad_rows(path, columns)[0]
        raise DataError(f'{place}: {what}')
    return rows


def bad_rows(path: str | Path, columns: int = COLUMNS) -> list[tuple[str, str]]:
    """Return the place (`file:line`) of each row that `read_rows` refuses, and what is wrong with it.

    Raises:
        DataError: the file can't be read or is not text.
    """
    found = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        what = _wrong_row(line, columns) if line.strip() else None
        if what:
            found.append((f'{path}:{number}', what))
    return found


def read_lines(path: str | Path) -> list[str]:
    """Return the lines of a text file that are not blank.

    Raises:
        DataError: the file can't be read or is not text.
    """
    return [line for line in _read_text(path).splitlines() if line.strip()]


def result_rows(boxes: np.ndarray, scores: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Return detections as rows of a result file, as the benchmark asks for them.

    Args:
        boxes: (N, 4) x1, y1, x2, y2, pixels.
        scores: (N,).
        categories: (N,) numbers of `CATEGORIES`.

    Returns:
        (N, 8) float64 by falling score; boxes rounded to 2 decimals, scores to 6, so that the file holds these numbers.
    """
    rows = np.full((len(scores), COLUMNS), -1.0)
    rows[:, [X, Y]] = boxes[:, :2]
    rows[:, [WIDTH, HEIGHT]] = boxes[:, 2:] - boxes[:, :2]
    rows[:, :SCORE] = rows[:, :SCORE].round(2)
    rows[:, SCORE], rows[:, CATEGORY] = np.asarray(scores, dtype=np.float64).round(6), categories
    return rows[np.argsort(-np.asarray(scores), kind='stable')]


def write_rows(path: str | Path, rows: np.ndarray) -> None:
    """Write a label or result file of (N, 8) rows, so that `read_rows` gives the same numbers."""
    lines = (
        ','.join(str(int(value)) if value == int(value) else repr(value) for value in row) for row in rows.tolist()
    )
    write_text(path, ''.join(f'{line}\n' for line in lines))


def _wrong_row(line: str, columns: int) -> str | None:
    """Return what is wrong with a row, None where nothing is."""
    words = line.strip().rstrip(',').split(',')
    if len(words) < columns:
        hint = ' (columns are separated by commas)' if len(words) == 1 else ''
        return f'expected {columns} columns or more, got {len(words)}{hint}'
    for word in words[:columns]:
        try:
            finite = math.isfinite(float(word)) and '_' not in word
        except ValueError:
            finite = False
        if not finite:
            return f'every column must be a finite number, got {word.strip()!r}'
    return None


def _read_text(path: str | Path) -> str:
    """Return the text of a file, or say why not."""
    try:
        with open(path, 'rb') as file:
            text = file.read().decode('utf-8-sig')  # some editors put a byte order mark first
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is not a text file ({error.reason})') from error
    if '\0' in text:
        raise DataError(f'{path}: is not a text file (a zero byte in it)')
    return text
