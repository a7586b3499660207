"""`BoundaryMetric`: trimap mIoU, F measure and Boundary IoU as an mmengine metric, for any classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import mmseg.evaluation  # noqa: F401  registers mmseg's own metrics first
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS
from mmseg.registry import METRICS as METRICS_SEG

from pointkd.core.errors import ConfigError, DataError, PointKDError, nearest
from pointkd.engine.segmentation import class_map, class_names, image_path, or_zero, with_void
from pointkd.evaluation.boundary import BoundaryCounter, BoundaryCounts, BoundaryRules, boundary_report, boundary_table


@METRICS_SEG.register_module()
@METRICS.register_module()
class BoundaryMetric(BaseMetric):
    """Metrics of what happens where classes meet, in percent, under `boundary/` (or `prefix/`).

    Numbers: `trimap_mIoU_1` (and 3, 5, 9), `F`, `boundary_IoU`; what is undefined is 0. Put it beside mmseg's own:
    `val_evaluator = [dict(type='IoUMetric'), dict(type='BoundaryMetric')]`.

    Args:
        ignore_index: value of labels that take no part, and of predictions that are no class.
        trimap_radii: pixels.
        tolerance: of F, pixels.
        band: inner band of Boundary IoU, share of the image's diagonal.
        collect_device: 'cpu' or 'gpu', how several processes join their counts.
        prefix: stands before the names in place of `boundary`.

    Raises:
        ConfigError: an unknown argument, or distances that make no sense.
    """

    default_prefix = 'boundary'

    def __init__(
        self,
        ignore_index: int = 255,
        trimap_radii: Sequence[float] = (1, 3, 5, 9),
        tolerance: float = 3.0,
        band: float = 0.005,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name in unknown:
            known = signature(BoundaryMetric).parameters
            raise ConfigError(f'BoundaryMetric: no argument {name!r}, {nearest(name, known)}')
        self.ignore_index = ignore_index
        self.rules = BoundaryRules(tuple(trimap_radii), tolerance, band)
        self._counter: BoundaryCounter | None = None

    def process(self, data_batch: object, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count a batch.

        Raises:
            DataError: a prediction has another size than its label, or a value is no class; the message names the
                image.
        """
        if self._counter is None:
            self._counter = BoundaryCounter(len(class_names(self.dataset_meta, 'BoundaryMetric')), self.rules)
        for sample in data_samples:
            labels, predictions = class_map(sample, 'gt_sem_seg'), class_map(sample, 'pred_sem_seg')
            try:
                labels = with_void(labels, self.ignore_index, 'label')
                predictions = with_void(predictions, self.ignore_index, 'prediction')
                self.results.append(self._counter.count(labels, predictions))
            except PointKDError as error:
                raise DataError(f'BoundaryMetric: {image_path(sample)}: {error}') from error

    def compute_metrics(self, results: list[BoundaryCounts]) -> dict[str, float]:
        """Return the numbers of all images; log them by class."""
        classes = class_names(self.dataset_meta, 'BoundaryMetric')
        total = sum(results, start=BoundaryCounts.zero(len(classes), self.rules))
        report = boundary_report(total, classes, self.rules)
        print_log(f'Boundary metrics of {len(results)} images, percent\n{boundary_table(report)}', logger='current')
        return or_zero(flat_numbers(report))


def flat_numbers(report: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the means of a boundary report by name: `trimap_mIoU_1`, `F`, `boundary_IoU`."""
    means = dict(report['boundary'])
    trimaps = means.pop('trimap_mIoU')
    return {**{f'trimap_mIoU_{radius}': value for radius, value in trimaps.items()}, **means}
