"""Makes what mmdet trains on from a data set in VisDrone layout: COCO files, and slices of the images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError, StorageError
from pointkd.core.files import write_text
from pointkd.core.visdrone import COLUMNS, HEIGHT, WIDTH, X, Y
from pointkd.datasets.parallel import map_frames
from pointkd.datasets.visdrone.check import check_parts
from pointkd.datasets.visdrone.check_image import KINDS, REPAIRABLE, ImageReport
from pointkd.datasets.visdrone.check_report import count_categories
from pointkd.datasets.visdrone.coco import LabelledImage, to_coco
from pointkd.datasets.visdrone.folder import Part, find_parts
from pointkd.datasets.visdrone.slices import Slicing, slice_image

SHOWN = 5  # broken images that an error names
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """What was made.

    Attributes:
        files: COCO files written.
        images: number of images by part.
        slices: number of slices by part.
        categories: boxes by category and size, see `count_categories`.
        repaired: places of the boxes that were clipped or left out, with what was wrong.
        noted: messages about what is worth a look.
    """

    files: list[Path]
    images: dict[str, int]
    slices: dict[str, int]
    categories: dict[str, dict[str, int]]
    repaired: list[str]
    noted: list[str]


def prepare(
    root: str | Path,
    out: str | Path | None = None,
    *,
    parts: Sequence[str] = (),
    lists: Mapping[str, str | Path] | None = None,
    slicing: Slicing | None = None,
    repair: bool = False,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    slice_progress: Progress = lambda done, total: None,
) -> Summary:
    """Write `visdrone_PART.json` for every part.

    With slicing also `slices/PART-SIZE-OVERLAP/STEM_LEFT_TOP.jpg` and `visdrone_PART_slices.json`. Everything is read
    and checked before anything is written; COCO files come last.

    Args:
        root, parts, lists: see `find_parts`.
        out: where to write; default the root. Elsewhere it gets links to the root's folders, so that it serves as the
            data root of a config.
        slicing: how to cut images; None leaves them whole.
        repair: clip boxes that reach out of their image, and leave out boxes of zero size, in place of refusing them.
        jobs: number of processes.
        progress, slice_progress: called with the number of images done and to do.

    Returns:
        What was made.

    Raises:
        DataError: no data, or an image or label file is missing or broken (`pointkd check-data visdrone` names all).
        ConfigError: see `find_parts`.
        StorageError: a file can't be written.
    """
    found = find_parts(root, parts, lists)
    reports = check_parts(found, jobs, progress)
    _refuse_broken(reports, root, repair)
    repaired = _messages(reports, REPAIRABLE) if repair else []
    out = Path(root if out is None else out)
    for part in found:
        link_part(part, Path(root), out)
    by_name = {part.name: part for part in found}
    labelled: dict[str, list[LabelledImage]] = {part.name: [] for part in found}
    for report in reports:
        labelled[report.part].append(_labelled(by_name[report.part], report, root))
    slices = _slice(labelled, slicing, out, jobs, slice_progress) if slicing is not None else {}
    files = [_write(out / f'visdrone_{name}_slices.json', images) for name, images in slices.items()]
    files += [_write(out / f'visdrone_{name}.json', images) for name, images in labelled.items()]
    rows = [image.rows for images in labelled.values() for image in images]
    return Summary(
        files=files,
        images={name: len(images) for name, images in labelled.items()},
        slices={name: len(images) for name, images in slices.items()},
        categories=count_categories(np.concatenate([np.zeros((0, COLUMNS)), *rows])),
        repaired=repaired,
        noted=_messages(reports, [kind for kind, broken in KINDS.items() if not broken]),
    )


def repair_rows(rows: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return labels (N, 8) clipped to an image of a width and height, those without area left out."""
    x1, y1 = np.maximum(rows[:, X], 0), np.maximum(rows[:, Y], 0)
    width = np.minimum(rows[:, X] + rows[:, WIDTH], size[0]) - x1
    height = np.minimum(rows[:, Y] + rows[:, HEIGHT], size[1]) - y1
    clipped = rows.copy()
    clipped[:, X], clipped[:, Y], clipped[:, WIDTH], clipped[:, HEIGHT] = x1, y1, width, height
    return clipped[(width > 0) & (height > 0)]


def link_part(part: Part, root: Path, out: Path) -> None:
    """Give an output folder apart from the root a link to the folder of the part's images.

    Raises:
        DataError: something else stands there.
        StorageError: the link can't be made.
    """
    source = (part.folder / 'images').resolve()
    link = out / part.folder.relative_to(root) / 'images'
    if link.exists() and link.resolve() == source:
        return
    if link.is_symlink() or link.exists():
        raise DataError(f'{link}: is in the way of a link to {source}; choose an empty --out')
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source, link, target_is_directory=True)
    except OSError as error:
        raise StorageError(f'{link}: can not be made a link to {source} ({error.strerror})') from error


def _refuse_broken(reports: Sequence[ImageReport], root: str | Path, repair: bool) -> None:
    """Raise where an image is broken; repairable boxes pass where they will be repaired."""
    passing = REPAIRABLE if repair else ()
    messages = _messages(reports, [kind for kind, broken in KINDS.items() if broken and kind not in passing])
    if not messages:
        return
    boxes_only = len(messages) == len(_messages(reports, REPAIRABLE)) and not repair
    shown = '; '.join(messages[:SHOWN]) + ('; ...' if len(messages) > SHOWN else '')
    hint = '--repair clips such boxes or leaves them out, and says which; ' if boxes_only else ''
    raise DataError(
        f'{len(messages)} problems, nothing was written: {shown}. {hint}`pointkd check-data visdrone {root}` names all'
    )


def _messages(reports: Sequence[ImageReport], kinds: Sequence[str]) -> list[str]:
    """Return the messages of some kinds of problem."""
    return [problem.message for report in reports for problem in report.problems if problem.kind in kinds]


def _labelled(part: Part, report: ImageReport, root: str | Path) -> LabelledImage:
    """Return a checked image with its labels, boxes repaired where they need it."""
    if report.size is None:
        raise DataError(f'{part.folder}: the size of {report.stem} is unknown')
    rows = np.zeros((0, COLUMNS)) if report.rows is None else report.rows
    if any(problem.kind in REPAIRABLE for problem in report.problems):
        rows = repair_rows(rows, report.size)
    return LabelledImage(part.images[report.stem].relative_to(root).as_posix(), report.size, rows)


def _slice(
    labelled: Mapping[str, Sequence[LabelledImage]], slicing: Slicing, out: Path, jobs: int, progress: Progress
) -> dict[str, list[LabelledImage]]:
    """Cut all images; return the slices by part."""
    tasks = [(name, image) for name, images in labelled.items() for image in images]
    slices: dict[str, list[LabelledImage]] = {name: [] for name in labelled}
    progress(0, len(tasks))
    done = map_frames(partial(_slice_one, slicing, out), tasks, jobs)
    for number, ((name, _), cut) in enumerate(zip(tasks, done, strict=True), start=1):
        slices[name] += cut
        progress(number, len(tasks))
    return slices


def _slice_one(slicing: Slicing, out: Path, task: tuple[str, LabelledImage]) -> list[LabelledImage]:
    """Cut one image of a part."""
    name, image = task
    folder = f'slices/{name}-{slicing.size}-{slicing.overlap:g}'
    return slice_image(out / image.file_name, image.rows, image.size, slicing, out, folder)


def _write(path: Path, images: Sequence[LabelledImage]) -> Path:
    """Write a COCO file."""
    write_text(path, json.dumps(to_coco(images), allow_nan=False) + '\n')
    return path
