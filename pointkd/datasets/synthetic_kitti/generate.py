"""Makes a folder of synthetic frames; what is finished is kept when it runs again."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json, write_text
from pointkd.datasets.kitti_folder import KittiFolder
from pointkd.datasets.parallel import map_frames
from pointkd.datasets.synthetic_kitti.frame import frame_name, is_made, make_frame
from pointkd.datasets.synthetic_kitti.settings import SceneSettings

RECIPE_FILE = 'synthetic.json'


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
    _check_recipe(settings, root)
    for left_over in (root / 'training').glob('*/.*.tmp'):  # of a run that was killed
        left_over.unlink()
    folder = KittiFolder(root)
    missing = [number for number in range(settings.scenes) if not is_made(folder, number)]
    progress(0, len(missing))
    for done, _ in enumerate(map_frames(partial(make_frame, folder, settings), missing, settings.jobs), start=1):
        progress(done, len(missing))
    _write_lists(settings, folder)
    return len(missing)


def _check_recipe(settings: SceneSettings, root: Path) -> None:
    """Write down what the folder's scenes are made from, or make sure that it is the same."""
    path = root / RECIPE_FILE
    if not path.is_file():
        write_json(path, settings.recipe())
        return
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ConfigError(f'{path}: is not JSON ({error}); delete the folder or choose another --out') from error
    if found != settings.recipe():
        raise ConfigError(
            f'{root} holds scenes made with {found}, asked for are {settings.recipe()}: '
            'choose another --out, or delete the folder'
        )


def _write_lists(settings: SceneSettings, folder: KittiFolder) -> None:
    """Write the lists of frames, once all of them are there."""
    names: dict[str, list[str]] = {'train': [], 'val': [], 'trainval': []}
    for number in range(settings.scenes):
        for part in ('val' if settings.in_val(number) else 'train', 'trainval'):
            names[part].append(frame_name(number))
    for part, frames in names.items():
        write_text(folder.list_path(part), ''.join(f'{frame}\n' for frame in frames))
