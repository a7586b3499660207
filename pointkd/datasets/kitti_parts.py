"""Which frames a data set in KITTI layout prepares for which part, and an output folder apart from the root."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pointkd.core.errors import ConfigError, DataError, StorageError, nearest
from pointkd.core.files import write_text
from pointkd.core.kitti import read_frame_list
from pointkd.datasets.kitti_folder import KittiFolder

PARTS = ('train', 'val', 'test')
_LINKED = ('velodyne', 'label_2', 'calib', 'image_2')


@dataclass(frozen=True)
class Task:
    """A frame to prepare.

    Attributes:
        frame: its name.
        part: `train`, `val` or `test`.
        half: folder its files lie in.
        labelled: whether it has labels.
    """

    frame: str
    part: str
    half: str
    labelled: bool


def read_tasks(root: Path, lists: dict[str, str]) -> list[Task]:
    """Return every frame of the lists, part by part.

    Args:
        root: data set in KITTI layout.
        lists: name of the list in ImageSets for a part; default the part's own name. Without a list `test` there is
            no such part.

    Raises:
        ConfigError: an unknown part.
        DataError: a list is missing or names something that is no frame.
    """
    wrong = set(lists) - set(PARTS)
    if wrong:
        raise ConfigError(f'--splits: no part {min(wrong)!r}: {nearest(min(wrong), PARTS)}')
    tasks = []
    for part in PARTS:
        path = KittiFolder(root).list_path(lists.get(part, part))
        if part == 'test' and part not in lists and not path.is_file():
            continue
        if not path.is_file():
            raise DataError(_missing_list(path, part))
        # KITTI's own test frames have no labels and lie apart; other data sets keep all frames in one place.
        apart = part == 'test' and (root / 'testing').is_dir()
        half = 'testing' if apart else 'training'
        tasks += [Task(frame, part, half, labelled=not apart) for frame in read_frame_list(path)]
    return tasks


def _missing_list(path: Path, part: str) -> str:
    """Return the message about a list that is not there."""
    present = sorted(other.stem for other in path.parent.glob('*.txt'))
    message = f'{path}: the list of frames of the part {part!r} is missing'
    if not present:
        return f'{message}, and so is any other; a list has one frame a line'
    return f'{message}: {nearest(path.stem, present)} Name it with --splits {part}=NAME'


def link_root(root: Path, out: Path, tasks: Sequence[Task]) -> None:
    """Give the output folder links to the root's files, and the lists in use."""
    for half in sorted({task.half for task in tasks}):
        for name in _LINKED:
            source, link = (root / half / name).resolve(), out / half / name
            if not source.is_dir() or (link.exists() and link.resolve() == source):
                continue
            if link.is_symlink() or link.exists():
                raise DataError(f'{link}: is in the way of a link to {source}; choose an empty --out')
            try:
                link.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(source, link, target_is_directory=True)
            except OSError as error:
                raise StorageError(f'{link}: can not be made a link to {source} ({error.strerror})') from error
    for part in {task.part for task in tasks}:
        frames = [task.frame for task in tasks if task.part == part]
        write_text(KittiFolder(out).list_path(part), ''.join(f'{frame}\n' for frame in frames))
