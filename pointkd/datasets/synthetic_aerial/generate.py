"""Makes a folder of synthetic images; what is finished is kept when it runs again."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pointkd.core.files import write_text
from pointkd.datasets.parallel import map_frames
from pointkd.datasets.recipe import check_recipe
from pointkd.datasets.synthetic_aerial.coco import coco
from pointkd.datasets.synthetic_aerial.frame import Frame, make_frame
from pointkd.datasets.synthetic_aerial.settings import AerialSettings


def generate(
    settings: AerialSettings, out: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Make images in VisDrone's layout: `VisDrone2019-DET-SPLIT/{images,annotations}`, and `{train,val,test}.json`.

    Args:
        settings: what to make.
        out: folder; images that are already there are kept.
        progress: called with the number of images made and to make.

    Returns:
        Number of images made now.

    Raises:
        ConfigError: the folder holds images of another recipe.
        StorageError: a file can't be written.
    """
    root = Path(out)
    check_recipe(root, settings.recipe(), 'images')
    for left_over in root.glob('VisDrone2019-DET-*/*/.*.tmp'):  # of a run that was killed
        left_over.unlink()
    frames = [Frame(split, number) for split, count in settings.counts().items() for number in range(count)]
    missing = [frame for frame in frames if not frame.is_made(root)]
    progress(0, len(missing))
    for done, _ in enumerate(map_frames(partial(make_frame, root, settings), missing, settings.jobs), start=1):
        progress(done, len(missing))
    for split in settings.counts():
        content = coco(root, [frame for frame in frames if frame.split == split], settings.size)
        write_text(root / f'{split}.json', json.dumps(content) + '\n')
    return len(missing)
