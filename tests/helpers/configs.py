"""The config files of the repository, for tests that go through all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if not {'_base_', 'recipes', 'results'} & set(path.relative_to(CONFIGS).parts)  # bases, stages, suites
)
# Folders whose nets look at images: the tests of widths, grids and published sizes of LiDAR nets leave them out.
IMAGE_FOLDERS = ('faster_rcnn/', 'gfl/', 'retinanet/', 'segmentation/', 'yolov8/')
DISTILLED = [name for name in NAMES if 'distill = ' in (CONFIGS / name).read_text(encoding='utf-8')]
PLAIN = [name for name in NAMES if name not in DISTILLED]
LIDAR = [name for name in PLAIN if not name.startswith(IMAGE_FOLDERS)]


def config(name: str) -> Config:
    """Load a config of the repository."""
    from pointkd.io.config import load_config

    return load_config(CONFIGS / name)


def differences(one: Any, other: Any, path: str = '') -> dict[str, Any]:
    """Return what changes from one nested config to another, by dotted path."""
    if isinstance(one, dict) and isinstance(other, dict):
        found: dict[str, Any] = {}
        for key in one.keys() | other.keys():
            found |= differences(one.get(key), other.get(key), f'{path}.{key}' if path else str(key))
        return found
    return {} if one == other else {path: other}


def plain_student(name: str) -> str:
    """Return the config of the student alone that a distilled config is made from."""
    folder, _, file = name.rpartition('/')
    if folder == 'demo':
        return 'demo/student.py'
    net, _, data = file.rsplit('_', 2)
    return f'{folder}/{net}_{data}'
