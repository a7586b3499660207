"""Makes what mmdet3d trains on from a data set in KITTI layout: info files, reduced clouds, ground-truth database."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.boxes import points_in_box
from pointkd.core.errors import ConfigError, DataError
from pointkd.core.files import atomic_write
from pointkd.core.kitti import (
    read_calibration,
    read_calibration_entries,
    read_objects,
    read_points,
    write_points,
)
from pointkd.datasets.kitti_database import cut_objects, group_by_class
from pointkd.datasets.kitti_folder import CLASSES, IGNORED, KittiFolder, image_size, in_image
from pointkd.datasets.kitti_infos import all_classes, frame_info, lidar_boxes, metainfo
from pointkd.datasets.kitti_parts import Task, link_root, read_tasks
from pointkd.datasets.parallel import map_frames

FAR_M = 100.0  # mmdet3d cuts its reduced clouds at this depth


@dataclass(frozen=True)
class Summary:
    """What was made.

    Attributes:
        frames: number of frames by part.
        database: number of objects in the database by class.
        sized: frames whose image size was taken from the calibration, as they have no image.
        unknown: number of labelled objects by class that has no number; training ignores them.
    """

    frames: Counter[str]
    database: dict[str, int]
    sized: int
    unknown: Counter[str]


@dataclass(frozen=True)
class Prepared:
    """One frame's results: its info, its database entries, whether it had an image, its unknown classes."""

    info: dict[str, Any]
    entries: list[dict[str, Any]]
    has_image: bool
    unknown: list[str]


def prepare(
    root: str | Path,
    out: str | Path | None = None,
    *,
    lists: dict[str, str] | None = None,
    classes: Sequence[str] = CLASSES,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Write `kitti_infos_{train,val,trainval,test}.pkl`, `kitti_dbinfos_train.pkl`, `kitti_gt_database/` and
    `training/velodyne_reduced/`, named and filled as mmdet3d's converter does.

    Args:
        root: data set in KITTI layout; it may be read-only if `out` is another folder.
        out: where to write; default the root. Elsewhere it gets links to the root's files and copies of the lists, so
            that it serves as the data root of a config.
        lists: name of the list in ImageSets for a part, `{'train': 'mini_train', 'val': 'mini_val'}`.
        classes: what goes into the database; classes that KITTI lacks are numbered after its own.
        jobs: number of processes.
        progress: called with the number of frames done and to do.

    Returns:
        What was made.

    Raises:
        DataError: a list or a frame's file is missing or broken (`pointkd check-data kitti` names all of them).
        ConfigError: an unknown part, or no class.
        StorageError: a file can't be written.
    """
    root = Path(root)
    out = root if out is None else Path(out)
    if not classes:
        raise ConfigError('--classes: expected at least one class')
    tasks = read_tasks(root, lists or {})
    if out.resolve() != root.resolve():
        link_root(root, out, tasks)
    work = partial(prepare_frame, root, out, tuple(classes))
    results = []
    progress(0, len(tasks))
    for result in map_frames(work, tasks, jobs):
        results.append(result)
        progress(len(results), len(tasks))
    return _write(out, tasks, results, classes)


def prepare_frame(root: Path, out: Path, classes: tuple[str, ...], task: Task) -> Prepared:
    """Read a frame, write its reduced cloud and (training part) its objects' points."""
    folder, frame = KittiFolder(root, task.half), task.frame
    calibration = read_calibration(folder.calibration(frame))
    size, has_image = image_size(folder, frame, calibration)
    points = read_points(folder.cloud(frame))
    _check_finite(folder.cloud(frame), points)
    points = points[in_image(points, calibration, size, FAR_M)]
    write_points(KittiFolder(out, task.half).reduced_cloud(frame), points)
    entries = read_calibration_entries(folder.calibration(frame))
    known = all_classes(classes)
    if not task.labelled:
        return Prepared(frame_info(frame, entries, calibration, size, classes=known), [], has_image, [])
    objects = read_objects(folder.label(frame))
    for values in (objects.boxes_2d, objects.dimensions, objects.location, objects.rotation_y):
        _check_finite(folder.label(frame), values)
    counts = np.array(
        [
            -1 if name == IGNORED else int(points_in_box(points, box).sum())
            for name, box in zip(objects.names, lidar_boxes(objects, calibration), strict=True)
        ],
        dtype=np.int64,
    )
    info = frame_info(frame, entries, calibration, size, objects=objects, counts=counts, classes=known)
    unknown = [name for name in objects.names if name not in known and name != IGNORED]
    cut = []
    if task.part == 'train':
        cut = cut_objects(out, frame, points, objects, calibration, known=known, classes=classes)
    return Prepared(info, cut, has_image, unknown)


def _check_finite(path: Path, values: np.ndarray) -> None:
    """Raise where a file holds a value that would silently spoil what is made of it."""
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise DataError(f'{path}: {broken} values are NaN or infinite; `pointkd check-data kitti` names all such files')


def _write(out: Path, tasks: Sequence[Task], results: Sequence[Prepared], classes: Sequence[str]) -> Summary:
    """Write the info files and the database's index."""
    unknown = Counter(name for result in results for name in result.unknown)
    infos: dict[str, list[dict[str, Any]]] = {'train': [], 'val': []}
    for task, result in zip(tasks, results, strict=True):
        infos.setdefault(task.part, []).append(result.info)
    infos['trainval'] = infos['train'] + infos['val']
    head = metainfo(all_classes(classes), [IGNORED, *sorted(unknown)])
    for part, frames in infos.items():
        _dump(out / f'kitti_infos_{part}.pkl', {'metainfo': head, 'data_list': frames})
    database = group_by_class([result.entries for result in results if result.entries])
    _dump(out / 'kitti_dbinfos_train.pkl', database)
    return Summary(
        frames=Counter(task.part for task in tasks),
        database={name: len(database.get(name, [])) for name in classes},
        sized=sum(not result.has_image for result in results),
        unknown=unknown,
    )


def _dump(path: Path, content: object) -> None:
    """Write a pickle file atomically."""
    with atomic_write(path) as file:
        pickle.dump(content, file, protocol=4)
