"""The CamVid data set (11 classes) for mmseg."""

from __future__ import annotations

from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from pointkd.datasets.camvid_layout import CLASSES, PALETTE


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid as `pointkd create-data camvid` lays it out: 11 classes, 255 is ignored.

    Args:
        img_suffix, seg_map_suffix: endings of images and label images.
        settings: as mmseg's `BaseSegDataset` takes them: `data_root`, `data_prefix`, `ann_file`, `pipeline` ...
    """

    METAINFO = {'classes': CLASSES, 'palette': PALETTE}  # noqa: RUF012  mmengine's way to declare it

    def __init__(self, img_suffix: str = '.png', seg_map_suffix: str = '.png', **settings: Any) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **settings)
