"""Makes a folder of synthetic frames; what is finished is kept when it runs again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pointkd.core.files import write_text
from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.parallel import map_frames
from pointkd.datasets.recipe import check_recipe
from pointkd.datasets.synthetic_kitti.frame import frame_name, is_made, make_frame
from pointkd.datasets.synthetic_kitti.settings import SceneSettings


def generate(
    settings: SceneSettings, out: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Make scenes in KITTI layout: `training/{velodyne,label_2,calib,image_2}`, `ImageSets/{train,val,trainval}.txt`.

    Args:
        settings: what to make.
        out: folder; frames that are already there are kept.
        progress: called with the number of frames made and to make.

    Returns:
        Number of frames made now.

    Raises:
        ConfigError: the folder holds scenes of another recipe.
        StorageError: a file can't be written.
    """
    root = Path(out)
    check_recipe(root, settings.recipe(), 'scenes')
    for left_over in (root / 'training').glob('*/.*.tmp'):  # of a run that was killed
        left_over.unlink()
    folder = KittiFolder(root)
    missing = [number for number in range(settings.scenes) if not is_made(folder, number)]
    progress(0, len(missing))
    for done, _ in enumerate(map_frames(partial(make_frame, folder, settings), missing, settings.jobs), start=1):
        progress(done, len(missing))
    _write_lists(settings, folder)
    return len(missing)


def _write_lists(settings: SceneSettings, folder: KittiFolder) -> None:
    """Write the lists of frames, once all of them are there."""
    names: dict[str, list[str]] = {'train': [], 'val': [], 'trainval': []}
    for number in range(settings.scenes):
        for part in ('val' if settings.in_val(number) else 'train', 'trainval'):
            names[part].append(frame_name(number))
    for part, frames in names.items():
        write_text(folder.list_path(part), ''.join(f'{frame}\n' for frame in frames))
