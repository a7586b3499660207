"""`VisDroneMetric`: the official VisDrone-DET numbers as an mmengine metric."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS

from pointkd.core.errors import ConfigError, DataError, nearest
from pointkd.core.visdrone import CATEGORIES, CLASSES, result_rows, write_rows
from pointkd.datasets.visdrone.coco import rows_of
from pointkd.evaluation.visdrone import METRICS as NAMES
from pointkd.evaluation.visdrone import Report, evaluate_images
from pointkd.evaluation.visdrone.table import describe, table


@dataclass(frozen=True)
class Labels:
    """An image of the COCO file.

    Attributes:
        stem: its name without folder and ending.
        size: width and height.
        rows: (N, 8) as in the label file.
    """

    stem: str
    size: tuple[int, int]
    rows: np.ndarray


@METRICS.register_module()
class VisDroneMetric(BaseMetric):
    """Official VisDrone-DET AP and AR of an image detector's predictions.

    Numbers, in percent, under `visdrone/` (or `prefix/`): `AP`, `AP50`, `AP75`, `AR1`, `AR10`, `AR100`, `AR500`; the
    same of each class, `car_AP50`, and by size of object, `small_AP`. NaN where nothing of the kind is labelled. They
    equal those of `pointkd evaluate visdrone` on the result files that `outfile_prefix` writes. Predictions that are
    not finite take no part; the log counts them. `save_best` needs `rule='greater'`.

    Args:
        ann_file: COCO file of `pointkd create-data visdrone` of the evaluated images (whole ones, not slices).
        outfile_prefix: also write result files to `{outfile_prefix}/STEM.txt`.
        format_only: write them and evaluate nothing.
        prefix: stands before the names in place of `visdrone`.
        collect_device: 'cpu' or 'gpu', how several processes join their predictions.

    Raises:
        ConfigError: format_only without outfile_prefix.
    """

    default_prefix = 'visdrone'

    def __init__(
        self,
        ann_file: str,
        outfile_prefix: str | None = None,
        format_only: bool = False,
        prefix: str | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and outfile_prefix is None:
            raise ConfigError('VisDroneMetric: format_only needs outfile_prefix, the folder to write to')
        self.ann_file = ann_file
        self.outfile_prefix = outfile_prefix
        self.format_only = format_only

    def process(self, data_batch: object, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the predictions of a batch, as rows of a result file."""
        categories = self._categories()
        for sample in data_samples:
            found = sample['pred_instances']
            boxes, scores, labels = (_numbers(found[key]) for key in ('bboxes', 'scores', 'labels'))
            finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
            rows = result_rows(boxes[finite], scores[finite], categories[labels[finite].astype(np.int64)])
            self.results.append({'id': int(sample['img_id']), 'rows': rows, 'not_finite': int((~finite).sum())})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate the predictions of all images.

        Raises:
            DataError: the COCO file is missing or broken, or does not hold a predicted image; an image was predicted
                twice.
        """
        not_finite = sum(result['not_finite'] for result in results)
        if not_finite:
            print_log(f'VisDroneMetric: {not_finite} predictions are not finite: left out', 'current')
        labels = read_labels(self.ann_file)
        known = [(self._labels_of(labels, result['id']), result['rows']) for result in results]
        known.sort(key=lambda entry: f'{entry[0].stem}.txt')  # the benchmark's order, for equal scores
        stems = [image.stem for image, _ in known]
        for stem, following in pairwise(stems):
            if stem == following:
                raise DataError(f'VisDroneMetric: image {stem} was predicted more than once')
        if len(known) < len(labels):
            left = len(labels) - len(known)
            print_log(f'VisDroneMetric: {left} images of {self.ann_file} were not predicted: left out', 'current')
        if self.outfile_prefix is not None:
            for image, rows in known:
                write_rows(Path(self.outfile_prefix) / f'{image.stem}.txt', rows)
            print_log(f'VisDroneMetric: result files written to {self.outfile_prefix}', 'current')
        if self.format_only:
            return {}
        report = evaluate_images(
            [image.rows for image, _ in known], [rows for _, rows in known], [image.size for image, _ in known], stems
        )
        print_log(f'{describe(report)}\n{table(report)}', 'current')
        return flat_numbers(report)

    def _categories(self) -> np.ndarray:
        """Return VisDrone's category of each label of the network."""
        classes = list((self.dataset_meta or {}).get('classes', ()))
        for name in classes:
            if name not in CLASSES:
                raise ConfigError(f'VisDroneMetric: {name!r} is no class of VisDrone: {nearest(name, CLASSES)}')
        return np.array([CATEGORIES.index(name) for name in classes], dtype=np.int64)

    def _labels_of(self, labels: Mapping[int, Labels], number: int) -> Labels:
        """Return the labels of a predicted image."""
        if number not in labels:
            raise DataError(
                f'VisDroneMetric: image {number} is not in {self.ann_file}; ann_file of the metric and of the data set '
                'must be the same'
            )
        return labels[number]


def read_labels(path: str | Path) -> dict[int, Labels]:
    """Read the images of a COCO file that `pointkd create-data visdrone` wrote, by their id.

    Raises:
        DataError: the file can't be read or is not such a file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            annotations[annotation['image_id']].append(annotation)
        return {
            image['id']: Labels(
                Path(image['file_name']).stem, (image['width'], image['height']), rows_of(annotations[image['id']])
            )
            for image in content['images']
        }
    except OSError as error:
        raise DataError(f'VisDroneMetric: ann_file {path} can not be read ({error.strerror})') from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'VisDroneMetric: ann_file {path} is no COCO file of VisDrone ({error!r})') from error


def flat_numbers(report: Report) -> dict[str, float]:
    """Return the numbers of a report by name, `AP50`, `car_AP50`, `small_AP50`; NaN where undefined."""
    groups = {'': report}
    groups |= {f'{name}_': row for kind in ('classes', 'sizes') for name, row in report[kind].items()}
    return {
        f'{title}{name}': math.nan if row[name] is None else row[name]
        for title, row in groups.items()
        for name in NAMES
    }


def _numbers(tensor: Any) -> np.ndarray:
    """Return a tensor as float64 numbers."""
    numbers: np.ndarray = tensor.detach().cpu().double().numpy()
    return numbers
