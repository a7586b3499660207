"""Labels or detections of many frames as flat arrays, one row an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.kitti import KittiObjects
from pointkd.evaluation.kitti.rules import OTHER, StandFor, name_codes

# Columns of a KITTI row after the class name.
TRUNCATION, OCCLUSION, ALPHA = 0, 1, 2
BOX_2D = slice(3, 7)  # x1, y1, x2, y2 in pixels
BOX_3D = slice(7, 14)  # h, w, l in metres, x, y, z of the centre of the bottom (camera frame), rotation_y
HEIGHT, WIDTH, LENGTH, X, Y, Z = range(7, 13)
SCORE = 14
LABEL_NUMBERS, RESULT_NUMBERS = 14, 15


@dataclass(frozen=True)
class ObjectTable:
    """Objects of F frames, frame after frame, in the order of their files (the order matters to the matching).

    Attributes:
        codes: (N,) int64, index in `rules.NAMES` or OTHER.
        values: (N, 14) for labels, (N, 15) with the score for detections, float64: the columns of a KITTI row.
        starts: (F+1,) int64, first row of each frame, and N.
        place: names a row in messages: file and line, or frame and number.
    """

    codes: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def alpha(self) -> np.ndarray:
        """(N,) observation angles, radians."""
        return np.ascontiguousarray(self.values[:, ALPHA])

    @property
    def boxes_2d(self) -> np.ndarray:
        """(N, 4) x1, y1, x2, y2, pixels."""
        return np.ascontiguousarray(self.values[:, BOX_2D])

    @property
    def boxes_3d(self) -> np.ndarray:
        """(N, 7) h, w, l, x, y, z, rotation_y."""
        return np.ascontiguousarray(self.values[:, BOX_3D])

    @property
    def scores(self) -> np.ndarray:
        """(N,) scores of detections."""
        return np.ascontiguousarray(self.values[:, SCORE])

    def check(self) -> None:
        """Raise unless all numbers are finite and every rectangle on the ground has a meaning.

        Raises:
            DataError: NaN or infinity; exactly one of length and width below zero (the official program crashes on it).
        """
        self._refuse(~np.isfinite(self.values).all(axis=1), 'every number must be finite, not NaN or infinite')
        flipped = self.values[:, WIDTH] * self.values[:, LENGTH] < 0
        self._refuse(flipped, 'width and length must have the same sign (both are negative where a box has no 3D part)')

    def check_labels(self) -> None:
        """Raise unless occlusion is a whole number, as the official program reads it (see `check` for the rest)."""
        self.check()
        occlusion = self.values[:, OCCLUSION]
        self._refuse(occlusion != np.floor(occlusion), 'occlusion must be a whole number (0, 1, 2 or 3)')

    def _refuse(self, bad: np.ndarray, rule: str) -> None:
        """Raise for the first bad row, if any."""
        if bad.any():
            rows = np.flatnonzero(bad)
            more = f' ({len(rows)} such rows in all)' if len(rows) > 1 else ''
            raise DataError(f'{self.place(int(rows[0]))}: {rule}{more}')


def table_from_frames(
    frames: Sequence[KittiObjects | None], kind: str, stand_for: StandFor | None = None
) -> ObjectTable:
    """Join the objects of frames.

    Args:
        frames: one entry a frame; None stands for a frame without objects.
        kind: 'labels' or 'results'; results need scores. Named in messages.
        stand_for: see `rules.name_codes`.

    Returns:
        The table; truncation and occlusion as given.

    Raises:
        DataError: results without scores.
    """
    scored = kind == 'results'
    columns = RESULT_NUMBERS if scored else LABEL_NUMBERS
    parts = [np.zeros((0, columns))]
    codes: list[int] = []
    known = name_codes(stand_for)
    for number, objects in enumerate(frames):
        if objects is None or len(objects) == 0:
            continue
        if scored and objects.scores is None:
            raise DataError(f'{kind}, frame {number}: detections need scores')
        parts.append(_numbers(objects, scored))
        codes += [known.get(name.lower(), OTHER) for name in objects.names]
    counts = [0 if objects is None else len(objects) for objects in frames]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def place(row: int) -> str:
        frame = int(np.searchsorted(starts, row, side='right')) - 1
        return f'{kind}, frame {frame}, object {row - int(starts[frame])}'

    return ObjectTable(np.array(codes, dtype=np.int64), np.concatenate(parts), starts, place)


def _numbers(objects: KittiObjects, scored: bool) -> np.ndarray:
    """Return the columns of a KITTI row after the class name: (N, 14), with scores (N, 15)."""
    columns = [
        objects.truncation,
        objects.occlusion,
        objects.alpha,
        objects.boxes_2d,
        objects.dimensions,
        objects.location,
        objects.rotation_y,
    ]
    if scored and objects.scores is not None:
        columns.append(objects.scores)
    return np.column_stack(columns).astype(np.float64, copy=False)
