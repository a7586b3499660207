"""`KittiMetric`: the official KITTI AP as an mmengine metric, in place of mmdet3d's, which needs CUDA."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any

import mmdet3d.evaluation  # noqa: F401  registers mmdet3d's own KittiMetric first, so that ours takes its place
import mmengine
import numpy as np
from mmdet3d.registry import METRICS as METRICS_3D
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS

from pointkd.core.errors import ConfigError, DataError, nearest
from pointkd.core.files import atomic_write
from pointkd.core.kitti import KittiObjects, write_objects
from pointkd.engine.kitti_objects import (
    Dropped,
    Info,
    camera_of,
    detections_from_camera,
    detections_from_lidar,
    detections_in_image,
    label_names,
    labels_of,
)
from pointkd.engine.kitti_predictions import (
    PREDICTIONS_2D,
    PREDICTIONS_3D,
    Predictions,
    file_name,
    match_frames,
    predictions_2d,
    predictions_3d,
)
from pointkd.evaluation.kitti import CLASSES, DIFFICULTIES, Report, evaluate_frames
from pointkd.evaluation.kitti.rules import MinOverlaps, StandFor, name_codes, overlap_table
from pointkd.evaluation.kitti.table import TITLES, describe, overlap_sentence, table

SHOWN = {'bbox': tuple(TITLES), 'img_bbox': ('bbox', 'aos')}  # by the argument `metric`
LOOSE: MinOverlaps = {
    'Car': {'bbox': 0.7, 'bev': 0.5, '3d': 0.5},
    'Pedestrian': {'bbox': 0.5, 'bev': 0.25, '3d': 0.25},
    'Cyclist': {'bbox': 0.5, 'bev': 0.25, '3d': 0.25},
}


@METRICS_3D.register_module(name='KittiMetric', force=True)
@METRICS.register_module(name='KittiMetric', force=True)
class KittiMetric(BaseMetric):
    """Official KITTI AP of predictions, with the arguments and the names of numbers of mmdet3d's metric.

    Numbers, in percent, under `Kitti metric/` (or `prefix/`), for `save_best` and the log:
        `pred_instances_3d/KITTI/Car_3D_AP40_moderate_strict`: class, then 2D, BEV, 3D or AOS, AP11 or AP40, difficulty,
            `strict` (official overlaps) or `loose`;
        `pred_instances_3d/KITTI/Overall_3D_AP40_moderate`: mean of the model's classes, official overlaps.
        Image boxes (`pred_instances`) have the 2D ones. What is not evaluated, as the class was never detected, is 0.
    `save_best` needs `rule='greater'` with these names.

    Args:
        ann_file: info file of the evaluated frames (`kitti_infos_val.pkl`).
        metric: 'bbox' for 2D, BEV, 3D and AOS; 'img_bbox' for 2D and AOS; or a list of them.
        pcd_limit_range: x, y, z least and greatest: LiDAR boxes whose bottom's centre lies outside are left out.
        prefix: stands before the names in place of `Kitti metric`.
        pklfile_prefix: also write the detections to `{pklfile_prefix}/{predictions}.pkl`.
        default_cam_key: camera whose image counts.
        format_only: write the submission and evaluate nothing.
        submission_prefix: also write result files to `{submission_prefix}/{predictions}/ID.txt`.
        collect_device: 'cpu' or 'gpu', how several processes join their predictions.
        backend_args: of the file backend that reads ann_file.
        min_overlaps: overlaps of the `loose` numbers, see `pointkd.evaluation.kitti.evaluate_folders`; default
            mmdet3d's (BEV and 3D 0.5 for Car, 0.25 for the others).
        stand_for: classes of your own and whose rules hold for them, `{'Forklift': 'Car'}`.

    Raises:
        ConfigError: an unknown argument or metric, or format_only without submission_prefix.

    Source: stands in for mmdet3d/evaluation/metrics/kitti_metric.py. It differs where that departs from the official
        program (AOS with unknown alpha, numbers rounded to 4 digits, overlaps in float32), matches frames by the name
        of their file, and projects only what lies in front of the camera.
    """

    default_prefix = 'Kitti metric'

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        pcd_limit_range: Sequence[float] = (0, -40, -3, 70.4, 40, 0.0),
        prefix: str | None = None,
        pklfile_prefix: str | None = None,
        default_cam_key: str = 'CAM2',
        format_only: bool = False,
        submission_prefix: str | None = None,
        collect_device: str = 'cpu',
        backend_args: dict[str, Any] | None = None,
        min_overlaps: MinOverlaps | None = None,
        stand_for: StandFor | None = None,
        **unknown: object,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name in unknown:
            raise ConfigError(
                f'KittiMetric: no argument {name!r}, {nearest(name, set(signature(KittiMetric).parameters))}'
            )
        self.metrics = [metric] if isinstance(metric, str) else list(metric)
        for name in self.metrics:
            if name not in SHOWN:
                raise ConfigError(f'KittiMetric: metric {name!r} is not one of KITTI, {nearest(name, SHOWN)}')
        if format_only and submission_prefix is None:
            raise ConfigError('KittiMetric: format_only needs submission_prefix, the folder to write to')
        if len(pcd_limit_range) != 6:
            raise ConfigError(f'KittiMetric: pcd_limit_range must be 6 numbers, got {len(pcd_limit_range)}')
        self.min_overlaps = LOOSE if min_overlaps is None else min_overlaps
        overlap_table(self.min_overlaps)
        self.stand_for = dict(stand_for or {})
        name_codes(self.stand_for)
        self.ann_file = ann_file
        self.pcd_limit_range = list(pcd_limit_range)
        self.pklfile_prefix = pklfile_prefix
        self.default_cam_key = default_cam_key
        self.format_only = format_only
        self.submission_prefix = submission_prefix
        self.backend_args = backend_args

    def process(self, data_batch: object, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the predictions of a batch, as numbers on the CPU."""
        for sample in data_samples:
            self.results.append(
                {
                    'position': int(sample['sample_idx']),
                    'file': file_name(sample),
                    PREDICTIONS_3D: predictions_3d(sample.get(PREDICTIONS_3D) or {}),
                    PREDICTIONS_2D: predictions_2d(sample.get(PREDICTIONS_2D) or {}),
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate the predictions of all frames.

        Raises:
            DataError: the info file is missing or broken, or does not hold a predicted frame; no boxes were predicted
                by a network that should.
            ConfigError: the data set has none of KITTI's three classes.
        """
        classes = self._classes()
        content = self._read_infos()
        frames = match_frames(content['data_list'], results, self.default_cam_key)
        kinds = [kind for kind in (PREDICTIONS_3D, PREDICTIONS_2D) if any(result[kind] for result in results)]
        if not kinds:
            raise DataError('KittiMetric: the network gave neither pred_instances_3d nor pred_instances')
        numbers: dict[str, float] = {}
        for kind in kinds:
            detections = self._detections(kind, results, frames, classes)
            self._write(kind, detections)
            if not self.format_only:
                names = label_names(content['metainfo'])
                labels = [labels_of(info, names) for _, info in frames]
                numbers.update(self._evaluate(kind, labels, list(detections.values()), classes))
        return numbers

    def _classes(self) -> list[str]:
        """Return the names of the network's labels."""
        classes = list((self.dataset_meta or {}).get('classes', ()))
        if not {self.stand_for.get(name, name) for name in classes} & set(CLASSES):
            raise ConfigError(
                f'KittiMetric: none of the classes {classes} is one of {", ".join(CLASSES)}; name whose rules hold for '
                "yours: stand_for={'Forklift': 'Car'}"
            )
        return classes

    def _read_infos(self) -> dict[str, Any]:
        """Return the content of the info file."""
        try:
            content = mmengine.load(self.ann_file, backend_args=self.backend_args)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise DataError(f'KittiMetric: ann_file {self.ann_file} can not be read ({error})') from error
        if not isinstance(content, dict) or not {'metainfo', 'data_list'} <= content.keys():
            raise DataError(
                f'KittiMetric: ann_file {self.ann_file} is not an info file (no metainfo and data_list in it)'
            )
        return content

    def _detections(
        self, kind: str, results: list[dict[str, Any]], frames: list[tuple[str, Info]], classes: list[str]
    ) -> dict[str, KittiObjects]:
        """Return the KITTI detections of each frame by its name; log what was left out."""
        detections: dict[str, KittiObjects] = {}
        left_out: Counter[str] = Counter()
        for result, (name, info) in zip(results, frames, strict=True):
            objects, dropped = self._convert(result[kind], info, classes)
            detections[name] = objects
            left_out.update(asdict(dropped))
        kept = sum(len(objects) for objects in detections.values())
        counts = ' '.join(f'{reason}={count}' for reason, count in left_out.items())
        print_log(f'KittiMetric {kind}: frames={len(frames)} detections={kept} left out: {counts}', logger='current')
        return detections

    def _convert(self, predictions: Predictions | None, info: Info, classes: list[str]) -> tuple[KittiObjects, Dropped]:
        """Return the KITTI detections of one frame, and what was left out."""
        if predictions is None:
            return KittiObjects(scores=np.zeros(0)), Dropped()
        boxes, scores = predictions.boxes, predictions.scores
        names = [classes[label] for label in predictions.labels]
        if predictions.frame == 'image':
            return detections_in_image(boxes, scores, names)
        camera = camera_of(info, self.default_cam_key)
        if predictions.frame == 'camera':
            return detections_from_camera(boxes, scores, names, camera)
        return detections_from_lidar(boxes, scores, names, camera, self.pcd_limit_range)

    def _evaluate(
        self, kind: str, labels: list[KittiObjects], detections: list[KittiObjects], classes: list[str]
    ) -> dict[str, float]:
        """Return the numbers of one kind of predictions; log the tables."""
        shown = [metric for metric in TITLES if any(metric in SHOWN[asked] for asked in self.metrics)]
        if kind == PREDICTIONS_2D:
            shown = ['bbox']
        strict = evaluate_frames(labels, detections, None, self.stand_for)
        loose = evaluate_frames(labels, detections, self.min_overlaps, self.stand_for)
        print_log(
            f'{kind}: {describe(strict)}\nOfficial: {overlap_sentence(strict)}\n{table(strict, shown)}\n'
            f'Not official: {overlap_sentence(loose)}\n{table(loose, shown)}',
            logger='current',
        )
        present = {self.stand_for.get(name, name) for name in classes}
        evaluated = [name for name in CLASSES if name in present]
        return {f'{kind}/KITTI/{key}': value for key, value in flat_numbers(strict, loose, evaluated, shown).items()}

    def _write(self, kind: str, detections: dict[str, KittiObjects]) -> None:
        """Write the result files and the pickle that were asked for."""
        if self.submission_prefix is not None:
            folder = Path(self.submission_prefix) / kind
            for name, objects in detections.items():
                write_objects(folder / f'{name}.txt', objects)
            print_log(f'KittiMetric: result files written to {folder}', logger='current')
        if self.pklfile_prefix is not None:
            path = Path(self.pklfile_prefix) / f'{kind}.pkl'
            with atomic_write(path) as file:
                pickle.dump([_annotation(name, objects) for name, objects in detections.items()], file)
            print_log(f'KittiMetric: detections written to {path}', logger='current')


def flat_numbers(strict: Report, loose: Report, classes: Sequence[str], metrics: Sequence[str]) -> dict[str, float]:
    """Return the numbers of two reports by name, `Car_3D_AP40_moderate_strict`; what is not evaluated is 0.

    Args:
        strict: report at the official overlaps.
        loose: report at other overlaps.
        classes: classes that count, also in `Overall_...`.
        metrics: of bbox, bev, 3d, aos.
    """
    numbers: dict[str, float] = {}
    for metric in metrics:
        for form in ('AP11', 'AP40'):
            for position, difficulty in enumerate(DIFFICULTIES):
                name = f'{TITLES[metric]}_{form}_{difficulty}'
                for reading, report in (('strict', strict), ('loose', loose)):
                    for class_ in classes:
                        numbers[f'{class_}_{name}_{reading}'] = report[class_][metric][form][position] or 0.0
                numbers[f'Overall_{name}'] = float(np.mean([numbers[f'{class_}_{name}_strict'] for class_ in classes]))
    return numbers


def _annotation(name: str, objects: KittiObjects) -> dict[str, Any]:
    """Return detections in the layout of mmdet3d's pickles (dimensions are length, height, width)."""
    return {
        'name': np.array(objects.names),
        'truncated': objects.truncation,
        'occluded': objects.occlusion,
        'alpha': objects.alpha,
        'bbox': objects.boxes_2d,
        'dimensions': objects.dimensions[:, [2, 0, 1]],
        'location': objects.location,
        'rotation_y': objects.rotation_y,
        'score': objects.scores,
        'sample_idx': np.full(len(objects), int(name) if name.isdigit() else -1),
    }
