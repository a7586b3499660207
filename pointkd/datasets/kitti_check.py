"""Checks a whole data set in KITTI layout: its lists, then every frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

from pointkd.core.errors import DataError, nearest
from pointkd.core.kitti import read_frame_list
from pointkd.datasets.kitti_check_frame import Problem, check_frame
from pointkd.datasets.kitti_check_report import CheckReport
from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.kitti_parts import Task
from pointkd.datasets.parallel import map_frames

_APART = ('train', 'val', 'test')  # no frame may be in two of these


def check_root(
    root: str | Path,
    *,
    lists: Sequence[str] = (),
    classes: Sequence[str] = (),
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckReport:
    """Check every frame that the lists name; without lists, every frame that has a file.

    Args:
        root: data set in KITTI layout.
        lists: lists in ImageSets to look at; default all.
        classes: known classes besides KITTI's own.
        jobs: number of processes.
        progress: called with the number of frames done and to do.

    Returns:
        The report.

    Raises:
        DataError: there is nothing in KITTI layout, or a list asked for is missing.
    """
    root = Path(root)
    present = frames_with_files(KittiFolder(root))
    paths = _list_paths(root, lists)
    if not present and not paths:
        raise DataError(f'{root}: no data in KITTI layout: neither training/velodyne/*.bin nor ImageSets/*.txt')
    problems, read = _read_lists(paths)
    problems += _overlaps(root, read)
    tasks = _tasks(root, read) if paths else [Task(frame, 'train', 'training', True) for frame in present]
    reports = []
    progress(0, len(tasks))
    for report in map_frames(partial(check_frame, root, tuple(classes)), tasks, jobs):
        reports.append(report)
        progress(len(reports), len(tasks))
    listed = {task.frame for task in tasks if task.half == 'training'}
    return CheckReport(
        root=root,
        frames=reports,
        lists={name: len(frames) for name, frames in read.items()},
        list_problems=problems,
        unlisted=len(set(present) - listed),
    )


def frames_with_files(folder: KittiFolder) -> list[str]:
    """Return the names of all frames that have a cloud or a label."""
    found = {path.stem for path in folder.cloud('*').parent.glob('*.bin')}
    found |= {path.stem for path in folder.label('*').parent.glob('*.txt')}
    return sorted(found)


def _list_paths(root: Path, names: Sequence[str]) -> list[Path]:
    """Return the lists to look at."""
    present = sorted(KittiFolder(root).list_path('*').parent.glob('*.txt'))
    if not names:
        return present
    by_name = {path.stem: path for path in present}
    for name in names:
        if name not in by_name:
            raise DataError(f'{root}/ImageSets/{name}.txt is missing: {nearest(name, by_name)}')
    return [by_name[name] for name in names]


def _read_lists(paths: Sequence[Path]) -> tuple[list[Problem], dict[str, list[str]]]:
    """Read the lists and note what is wrong with them."""
    problems, read = [], {}
    for path in paths:
        try:
            frames = read_frame_list(path)
        except DataError as error:
            problems.append(Problem('bad list', str(error)))
            continue
        read[path.stem] = frames
        twice = sorted(frame for frame, count in Counter(frames).items() if count > 1)
        if twice:
            problems.append(Problem('bad list', f'{path}: {len(twice)} frames come twice, first {twice[0]}'))
    return problems, read


def _overlaps(root: Path, read: dict[str, list[str]]) -> list[Problem]:
    """Note frames that are trained on and evaluated on at once."""
    problems = []
    apart = [name for name in _APART if name in read and _half(root, name) == 'training']
    for first, second in combinations(apart, 2):
        both = sorted(set(read[first]) & set(read[second]))
        if both:
            problems.append(
                Problem('bad list', f'{len(both)} frames are in both {first} and {second}, first {both[0]}')
            )
    return problems


def _half(root: Path, name: str) -> str:
    """Return the folder that a list's frames lie in: KITTI's own test frames have one apart."""
    return 'testing' if name == 'test' and (root / 'testing').is_dir() else 'training'


def _tasks(root: Path, read: dict[str, list[str]]) -> list[Task]:
    """Return every frame of the lists once."""
    tasks: dict[tuple[str, str], Task] = {}
    for name, frames in read.items():
        half = _half(root, name)
        for frame in frames:
            tasks.setdefault((half, frame), Task(frame, name, half, labelled=half == 'training'))
    return list(tasks.values())
