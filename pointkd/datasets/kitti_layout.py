"""Data in KITTI layout with classes of its own."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet3d.datasets import KittiDataset
from mmdet3d.registry import DATASETS
from mmengine.fileio import load

from pointkd.core.errors import ConfigError, DataError, nearest


@DATASETS.register_module()
class KittiLayoutDataset(KittiDataset):
    """mmdet3d's KITTI data set, open to any classes: those of the info file that `pointkd create-data` wrote.

    Args:
        data_root: folder of the data.
        ann_file: info file in it.
        metainfo: `classes`, those to learn in the order of the network's labels; objects of others are left out.
        settings: as mmdet3d's `KittiDataset` takes them.

    Raises:
        DataError: the info file can't be read.
        ConfigError: a class that the info file does not have.
    """

    def __init__(
        self, data_root: str, ann_file: str, metainfo: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        path = Path(data_root) / ann_file
        known = classes_of(path)
        metainfo = {'classes': known, **(metainfo or {})}
        for name in metainfo['classes']:
            if name not in known:
                raise ConfigError(f'metainfo.classes: {path} has no class {name!r}: {nearest(name, known)}')
        self.METAINFO = {'classes': known}
        super().__init__(data_root=data_root, ann_file=ann_file, metainfo=metainfo, **settings)


def classes_of(info_file: Path) -> tuple[str, ...]:
    """Return the class names of an info file, in the order of their labels.

    Raises:
        DataError: the file is missing or no info file.
    """
    try:
        categories = load(info_file)['metainfo']['categories']
    except FileNotFoundError as error:
        raise DataError(f'{info_file}: no such file; make it with `pointkd create-data kitti --root ...`') from error
    except (KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f'{info_file}: is no info file ({error})') from error
    labelled = {label: name for name, label in categories.items() if label >= 0}
    return tuple(labelled[label] for label in sorted(labelled))
