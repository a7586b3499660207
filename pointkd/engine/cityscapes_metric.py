"""`CityscapesMetric`: the official Cityscapes scores as an mmengine metric, in place of mmseg's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import mmseg.evaluation  # noqa: F401  registers mmseg's own CityscapesMetric first, so that ours takes its place
import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS
from mmseg.registry import METRICS as METRICS_SEG

from pointkd.core.errors import ConfigError, DataError, PointKDError, nearest
from pointkd.core.label_images import read_label_image, write_label_image
from pointkd.engine.boundary_metric import flat_numbers
from pointkd.engine.segmentation import class_map, class_names, image_path, or_zero
from pointkd.evaluation.cityscapes import CLASSES, CityscapesCounter, CityscapesCounts, Report, report
from pointkd.evaluation.cityscapes.rules import EVALUATED
from pointkd.evaluation.cityscapes.table import describe, table

_LABELS = ('_gtFine_labelTrainIds.png', '_gtFine_labelIds.png')
_MEANS = ('mIoU', 'mIoU_categories', 'iIoU', 'iIoU_categories', 'mAcc', 'aAcc')


@dataclass(frozen=True)
class ImageResult:
    """Counts of one image, and whether its instances were counted."""

    counts: CityscapesCounts
    with_instances: bool


@METRICS_SEG.register_module(name='CityscapesMetric', force=True)
@METRICS.register_module(name='CityscapesMetric', force=True)
class CityscapesMetric(BaseMetric):
    """Official Cityscapes scores of a network that predicts the 19 train ids.

    The labels are read as the official script reads them: ids from `..._gtFine_labelIds.png` and instances from
    `..._gtFine_instanceIds.png`, beside the label image of the sample. Numbers in percent under `cityscapes/` (or
    `prefix/`): `mIoU`, `mIoU_categories`, `iIoU`, `iIoU_categories`, `mAcc`, `aAcc`, and with boundary
    `boundary_trimap_mIoU_1` (and 3, 5, 9), `boundary_F`, `boundary_IoU`; what is undefined is 0. They equal those of
    `pointkd evaluate cityscapes` on the files that output_dir gets.

    Args:
        output_dir: folder for predictions as PNG files of ids, for the server or for `pointkd evaluate`; written with
            format_only or keep_results.
        ignore_index: predicted value that is no class.
        format_only: write the predictions and evaluate nothing.
        keep_results: evaluate and write the predictions.
        collect_device: 'cpu' or 'gpu', how several processes join their counts.
        prefix: stands before the names in place of `cityscapes`.
        boundary: also the boundary metrics.

    Raises:
        ConfigError: an unknown argument, or predictions shall be written and there is no output_dir.

    Source: stands in for mmseg/evaluation/metrics/citys_metric.py, which writes all predictions, needs the package
        cityscapesscripts, and deletes the folder afterwards.
    """

    default_prefix = 'cityscapes'

    def __init__(
        self,
        output_dir: str | None = None,
        ignore_index: int = 255,
        format_only: bool = False,
        keep_results: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        boundary: bool = True,
        **unknown: object,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name in unknown:
            known = signature(CityscapesMetric).parameters
            raise ConfigError(f'CityscapesMetric: no argument {name!r}, {nearest(name, known)}')
        if (format_only or keep_results) and not output_dir:
            raise ConfigError('CityscapesMetric: format_only and keep_results need output_dir, the folder to write to')
        self.output_dir = Path(output_dir) if output_dir and (format_only or keep_results) else None
        self.format_only = format_only
        self.boundary = boundary
        self._ids = np.zeros(256, np.uint8)
        self._ids[: len(EVALUATED)] = EVALUATED
        self._known = np.zeros(256, np.bool_)
        self._known[[*range(len(EVALUATED)), ignore_index]] = True
        self._counter = CityscapesCounter(boundary)

    def process(self, data_batch: object, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count a batch, and write its predictions where asked for.

        Raises:
            ConfigError: the data set's classes are not the 19 of Cityscapes.
            DataError: a label file is missing or broken, or of another size than the prediction.
        """
        if tuple(class_names(self.dataset_meta, 'CityscapesMetric')) != CLASSES:
            raise ConfigError(f'CityscapesMetric: the classes must be those of Cityscapes: {", ".join(CLASSES)}')
        for sample in data_samples:
            ids = self._to_ids(class_map(sample, 'pred_sem_seg'), image_path(sample))
            if self.output_dir is not None:
                write_label_image(self.output_dir / f'{Path(image_path(sample)).stem}.png', ids)
            self.results.append(None if self.format_only else self._count(sample, ids))

    def compute_metrics(self, results: list[ImageResult | None]) -> dict[str, float]:
        """Return the numbers of all images; log them by class.

        Raises:
            DataError: some images have instances beside their labels and others have none.
        """
        if self.output_dir is not None:
            print_log(f'CityscapesMetric: predictions written to {self.output_dir}', logger='current')
        counted = [result for result in results if result is not None]
        if self.format_only:
            return {}
        with_instances = sum(result.with_instances for result in counted)
        if with_instances not in (0, len(counted)):
            raise DataError(
                f'CityscapesMetric: only {with_instances} of {len(counted)} labels have an instance image '
                '(..._gtFine_instanceIds.png) beside them: iIoU needs all of them'
            )
        total = sum((result.counts for result in counted), start=CityscapesCounts.zero(self.boundary))
        scores = report(total, with_instances > 0) | {'extra_files': 0}
        print_log(f'{describe(scores)}\n{table(scores)}', logger='current')
        return or_zero(numbers_of(scores))

    def _to_ids(self, predictions: np.ndarray, image: str) -> np.ndarray:
        """Return predicted train ids as ids, (H, W) uint8."""
        least, greatest = int(predictions.min()), int(predictions.max())
        if least < 0 or greatest > 255 or not self._known[predictions].all():
            raise DataError(f'CityscapesMetric: {image}: expected train ids 0..18, got {least}..{greatest}')
        return self._ids[predictions]

    def _count(self, sample: Mapping[str, Any], ids: np.ndarray) -> ImageResult:
        """Return the counts of one image."""
        label, instance = label_files(str(sample.get('seg_map_path', '')), image_path(sample))
        labels = read_label_image(label)
        instances = read_label_image(instance) if instance.exists() else None
        try:
            return ImageResult(self._counter.count(labels, ids, instances), instances is not None)
        except PointKDError as error:
            raise DataError(f'CityscapesMetric: {image_path(sample)}, label {label}: {error}') from error


def label_files(seg_map_path: str, image: str) -> tuple[Path, Path]:
    """Return the files of ids and of instances that belong to a sample's label image.

    Raises:
        DataError: the label image is not named as those of Cityscapes.
    """
    for suffix in _LABELS:
        if seg_map_path.endswith(suffix):
            stem = seg_map_path.removesuffix(suffix)
            return Path(f'{stem}_gtFine_labelIds.png'), Path(f'{stem}_gtFine_instanceIds.png')
    raise DataError(
        f'CityscapesMetric: {image}: expected a label image ...{_LABELS[0]}, got {seg_map_path or "none"}; other data '
        'sets are evaluated by IoUMetric and BoundaryMetric'
    )


def numbers_of(scores: Report) -> dict[str, float | None]:
    """Return the means of a report by name."""
    numbers = {name: scores[name] for name in _MEANS}
    if 'boundary' in scores:
        borders = flat_numbers(scores)
        numbers |= {name if name == 'boundary_IoU' else f'boundary_{name}': value for name, value in borders.items()}
    return numbers
