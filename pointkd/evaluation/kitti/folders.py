"""Reads folders of KITTI label and result files into tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.kitti import LABEL_COLUMNS
from pointkd.evaluation.kitti import rows
from pointkd.evaluation.kitti.objects import ObjectTable
from pointkd.evaluation.kitti.rules import OTHER, StandFor, name_codes

_CHUNK = 1 << 16  # bytes; a KITTI file has a few thousand


@dataclass(frozen=True)
class FrameFiles:
    """The files that an evaluation reads.

    Attributes:
        frames: frame IDs, in order.
        labels: label file of each frame.
        results: result file of each frame, None where there is none.
        missing: frames of the labels (or of the list) without a result file, evaluated or not.
        extra: result files of frames that have no label file.
    """

    frames: list[str]
    labels: list[str]
    results: list[str | None]
    missing: int
    extra: int


def find_files(
    labels: str | Path, results: str | Path, frames: Sequence[str] | None = None, only_with_results: bool = False
) -> FrameFiles:
    """Find the label and result file of every frame.

    Args:
        labels: folder of label files `ID.txt`.
        results: folder of result files `ID.txt`.
        frames: IDs to evaluate; default every label file.
        only_with_results: leave out frames that have no result file.

    Returns:
        The files, in the order of the IDs (or of `frames`).

    Raises:
        DataError: a folder is missing, there is nothing to evaluate, a frame has no label file or is listed twice, or
            the result files are all of other frames.
    """
    labelled, detected = _frame_ids(labels, 'labels'), _frame_ids(results, 'results')
    if not labelled:
        raise DataError(f'{labels}: no label files (ID.txt) in this folder')
    wanted = sorted(labelled) if frames is None else _checked_frames(frames, labelled, labels)
    missing = [frame for frame in wanted if frame not in detected]
    if detected and len(missing) == len(wanted):
        raise DataError(
            f'{results}: none of the {len(detected)} result files belongs to a frame to evaluate '
            f'(frames are named like {wanted[0]!r}, results like {min(detected)!r})'
        )
    if only_with_results:
        wanted = [frame for frame in wanted if frame in detected]
    if not wanted:
        raise DataError(f'{results}: no result file (ID.txt) for any frame, so that none is left to evaluate')
    return FrameFiles(
        frames=wanted,
        labels=[f'{labels}/{frame}.txt' for frame in wanted],
        results=[f'{results}/{frame}.txt' if frame in detected else None for frame in wanted],
        missing=len(missing),
        extra=len(detected - labelled),
    )


def read_table(files: Sequence[str | None], scored: bool, stand_for: StandFor | None = None) -> tuple[ObjectTable, int]:
    """Read label files (15 columns) or result files (16).

    Args:
        files: one a frame; None stands for a frame without objects.
        scored: whether these are results.
        stand_for: see `rules.name_codes`.

    Returns:
        The table, and how many rows were dropped because they have too few columns.

    Raises:
        DataError: a file can't be read or is not text, or a column is not a finite number.
    """
    contents = [b'' if file is None else _read(file) for file in files]
    text = b''.join(contents)
    starts = np.concatenate([[0], np.cumsum([len(content) for content in contents])]).astype(np.int64)
    columns = LABEL_COLUMNS + scored

    def place(at: int) -> str:
        number = int(np.searchsorted(starts, at, side='right')) - 1
        before = text[starts[number] : at]
        line = max(before.count(b'\n'), before.count(b'\r')) + 1
        return f'{files[number]}:{line}'

    known = name_codes(stand_for)
    found_names, values, row_starts, counts, dropped, found, at = rows.scan_rows(
        np.frombuffer(text, dtype=np.uint8), starts, _padded(known), columns
    )
    if found == rows.NOT_TEXT:
        raise DataError(f'{place(at)}: is not a text file (byte {text[at]} in it)')
    if found == rows.NOT_A_NUMBER:
        word = text[at : at + 80].split()[0].decode(errors='replace')
        raise DataError(f'{place(at)}: every column after the class must be a finite number, got {word!r}')
    for row in np.flatnonzero(np.isnan(values).any(axis=1)):
        values[row] = _exact_numbers(text, int(row_starts[row]), columns)
    codes = np.array([*known.values(), OTHER])[found_names]  # -1, no known name, takes the last entry
    frame_starts = np.concatenate([[0], np.cumsum(counts)])
    return ObjectTable(codes, values, frame_starts, lambda row: place(int(row_starts[row]))), dropped


def _padded(names: Iterable[str]) -> np.ndarray:
    """Return names as rows of bytes, filled up with zeros (at least one)."""
    encoded = [name.encode() for name in names]
    width = max(len(name) for name in encoded) + 1
    return np.array([list(name.ljust(width, b'\0')) for name in encoded], dtype=np.uint8)


def read_frame_list(path: str | Path) -> list[str]:
    """Read frame IDs, one a line; blank lines are skipped.

    Raises:
        DataError: the file can't be read, is not text, or names no frame.
    """
    content = _read(str(path))
    try:
        frames = [line.strip() for line in content.decode().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: is not a text file ({error.reason})') from error
    if not frames:
        raise DataError(f'{path}: names no frame (expected one ID a line)')
    return frames


def _frame_ids(folder: str | Path, kind: str) -> set[str]:
    """Return the names, without `.txt`, of a folder's text files."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(f'{kind}: the folder {folder} can not be read ({error.strerror})') from error
    return {name[:-4] for name in names if name.endswith('.txt') and not name.startswith('.')}


def _checked_frames(frames: Sequence[str], labelled: set[str], labels: str | Path) -> list[str]:
    """Return the frames of a list; each must be there once and have a label file."""
    unlabelled = [frame for frame in frames if frame not in labelled]
    if unlabelled:
        raise DataError(f'{labels}: no label file for {len(unlabelled)} of the frames asked for ({_few(unlabelled)})')
    if len(set(frames)) < len(frames):
        twice = sorted({frame for frame in frames if frames.count(frame) > 1})
        raise DataError(f'frames: listed more than once ({_few(twice)}); each frame counts once')
    if not frames:
        raise DataError('frames: the list is empty')
    return list(frames)


def _few(frames: Sequence[str]) -> str:
    """Return the first frames of a list, for messages."""
    return ', '.join(frames[:5]) + (', ...' if len(frames) > 5 else '')


def _read(path: str) -> bytes:
    """Return the bytes of a file (system calls: thousands of small files are read)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            content = chunk = os.read(descriptor, _CHUNK)
            while len(chunk) == _CHUNK:
                chunk = os.read(descriptor, _CHUNK)
                content += chunk
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(f'{path}: can not be read ({error.strerror})') from error
    return content


def _exact_numbers(text: bytes, start: int, columns: int) -> list[float]:
    """Return the numbers of the row that begins at start, each as `float()` reads it."""
    end = text.find(b'\n', start)
    words = text[start : end if end >= 0 else None].split(None, columns)
    return [float(word) for word in words[1:columns]]
