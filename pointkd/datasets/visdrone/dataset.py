"""`VisDroneDataset`: the COCO files of `pointkd create-data visdrone` as an mmdet data set."""

from __future__ import annotations

from typing import Any, ClassVar

from mmdet.datasets import CocoDataset
from mmengine.registry import DATASETS

from pointkd.core.visdrone import CLASSES

# Colours of the classes in pictures, RGB.
_PALETTE = [
    (220, 20, 60), (255, 140, 0), (119, 11, 32), (0, 80, 200), (0, 170, 200), (100, 60, 180), (0, 150, 80),
    (120, 200, 60), (250, 200, 0), (200, 60, 200),
]  # fmt: skip


@DATASETS.register_module()
class VisDroneDataset(CocoDataset):
    """mmdet's COCO data set that keeps what VisDrone wants ignored.

    Ignored regions, `others` and rows of score 0 become instances with `ignore_flag` 1, whatever their category, so
    that they reach a detector as `ignored_instances`. mmdet's assigners take heed of them where
    `ignore_iof_thr` is set (`MaxIoUAssigner(ignore_iof_thr=0.5)`): what lies in them is then no background. Stock
    `CocoDataset` leaves them out. With `filter_empty_gt` images go that have nothing but ignored instances, as slices
    may.

    Args:
        as of `mmdet.datasets.CocoDataset`; `metainfo=dict(classes=...)` chooses some of the ten classes.
    """

    METAINFO: ClassVar[dict[str, Any]] = {'classes': CLASSES, 'palette': _PALETTE}

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Return an image's path, size and instances, from its entries in the COCO file."""
        annotations = [self._visible(annotation) for annotation in raw_data_info['raw_ann_info']]
        parsed: dict[str, Any] = super().parse_data_info({**raw_data_info, 'raw_ann_info': annotations})
        return parsed

    def filter_data(self) -> list[dict[str, Any]]:
        """Return the images that training uses."""
        images: list[dict[str, Any]] = super().filter_data()
        if self.test_mode or not (self.filter_cfg or {}).get('filter_empty_gt', False):
            return images
        return [image for image in images if any(not entry['ignore_flag'] for entry in image['instances'])]

    def _visible(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """Return an annotation as mmdet keeps it: one to be ignored as a crowd of some class, which plays no part."""
        if not (annotation.get('ignore') or annotation.get('iscrowd')):
            return annotation
        category = annotation['category_id'] if annotation['category_id'] in self.cat_ids else self.cat_ids[0]
        return {**annotation, 'ignore': 0, 'iscrowd': 1, 'category_id': category}
