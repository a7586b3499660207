"""Average precision of detections against labels: cleaning, matching, and the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pointkd.evaluation.kitti import matching, overlaps, rules
from pointkd.evaluation.kitti.objects import BOX_2D, HEIGHT, LENGTH, OCCLUSION, TRUNCATION, WIDTH, ObjectTable, X, Y, Z
from pointkd.evaluation.kitti.rules import CLASSES, DIFFICULTIES, METRICS

Report = dict[str, Any]  # {class: {metric: {'AP11' | 'AP40': [easy, moderate, hard]}}, 'mAP': ..., counts}
_RECALLS = {'AP11': slice(0, None, 4), 'AP40': slice(1, None)}  # of the 41 positions


@dataclass(frozen=True)
class Scene:
    """Labels and detections of all frames with what they have in common; each part is worked out once.

    Attributes:
        labels: L labels.
        detections: D detections.
        min_overlaps: (3, 3) float64, by metric and class.
    """

    labels: ObjectTable
    detections: ObjectTable
    min_overlaps: np.ndarray

    @cached_property
    def classes(self) -> np.ndarray:
        """(D,) int64, class of each detection, -1 for none of the three."""
        return np.where(self.detections.codes < len(CLASSES), self.detections.codes, -1)

    @cached_property
    def heights(self) -> np.ndarray:
        """(D,) float64, pixels: heights of the detections' image boxes.

        Officially cut to whole pixels, which changes nothing as the limits are whole.
        """
        boxes = self.detections.boxes_2d
        return np.abs(boxes[:, 1] - boxes[:, 3])

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels and detections that may match: starts (L+1,), detections (P,), overlaps (P, 3)."""
        return overlaps.find_pairs(
            rules.GROUP[self.labels.codes],
            self.labels.boxes_2d,
            self.labels.boxes_3d,
            self.labels.starts,
            self.classes,
            self.heights < max(rules.MIN_HEIGHT),
            self.detections.boxes_2d,
            self.detections.boxes_3d,
            self.detections.starts,
            self.min_overlaps,
        )

    @cached_property
    def turns(self) -> np.ndarray:
        """(P,) float64, alpha of the label minus alpha of the detection, for each pair."""
        starts, detections, _ = self.pairs
        labels = np.repeat(np.arange(len(self.labels)), np.diff(starts))
        return self.labels.alpha[labels] - self.detections.alpha[detections]

    @cached_property
    def shares(self) -> np.ndarray:
        """(D, 3) float64, largest share of each detection in a DontCare area, by metric."""
        return overlaps.dont_care_shares(
            self.labels.codes == rules.DONT_CARE,
            self.labels.boxes_2d,
            self.labels.boxes_3d,
            self.labels.starts,
            self.detections.boxes_2d,
            self.detections.boxes_3d,
            self.detections.starts,
        )

    def label_states(self, class_: int, difficulty: int) -> np.ndarray:
        """Return (L,) int8: which labels count, are ignored, or are out of play."""
        values = self.labels.values
        boxes = values[:, BOX_2D]
        hard = values[:, OCCLUSION] > rules.MAX_OCCLUSION[difficulty]
        hard |= values[:, TRUNCATION] > rules.MAX_TRUNCATION[difficulty]
        hard |= boxes[:, 3] - boxes[:, 1] <= rules.MIN_HEIGHT[difficulty]
        codes = self.labels.codes
        states = np.where((codes == class_) & ~hard, matching.COUNTS, matching.IGNORED)
        return np.where(rules.GROUP[codes] == class_, states, matching.OUT).astype(np.int8)

    def detection_states(self, class_: int, difficulty: int) -> np.ndarray:
        """Return (D,) int8: which detections are valid, ignored (too low, whatever their class), or out of play."""
        states = np.where(self.classes == class_, matching.COUNTS, matching.OUT)
        states[self.heights < rules.MIN_HEIGHT[difficulty]] = matching.IGNORED
        return states.astype(np.int8)

    def curve(self, metric: int, class_: int, difficulty: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Return precision (41,), orientation similarity (41,), and at how many thresholds it was 0/0."""
        starts, detections, pair_overlaps = self.pairs
        limit = self.min_overlaps[metric, class_]
        return matching.precision_curve(
            self.label_states(class_, difficulty),
            self.detection_states(class_, difficulty),
            starts,
            detections,
            np.ascontiguousarray(pair_overlaps[:, metric]),
            limit,
            self.detections.scores,
            self.shares[:, metric] > limit,
            self.turns,
        )

    def is_evaluated(self, metric: str, class_: int) -> bool:
        """Return whether any detection of a class says something about a metric (docs/evaluation.md, rule 2)."""
        own = self.detections.values[self.detections.codes == class_]
        if metric == 'bbox':
            return bool((own[:, BOX_2D.start] >= 0).any())
        usable = (own[:, WIDTH] > 0) & (own[:, LENGTH] > 0)
        usable &= (own[:, X] != rules.NOWHERE) & (own[:, Z] != rules.NOWHERE)
        if metric == '3d':
            usable &= (own[:, HEIGHT] > 0) & (own[:, Y] != rules.NOWHERE)
        return bool(usable.any())

    def has_orientation(self) -> bool:
        """Return whether AOS is evaluated: no detection of any class says that it has no alpha."""
        return not (self.detections.alpha == rules.NO_ALPHA).any()


def score(labels: ObjectTable, detections: ObjectTable, min_overlaps: rules.MinOverlaps | None = None) -> Report:
    """Evaluate detections.

    Args:
        labels: checked labels.
        detections: checked detections of the same frames.
        min_overlaps: see `rules.overlap_table`.

    Returns:
        `{class: {metric: {'AP11': [easy, moderate, hard], 'AP40': [...]}}}` in percent for Car, Pedestrian, Cyclist and
        bbox, bev, 3d, aos, None where not evaluated; `mAP` of the same shape, the mean of the three classes with None
        as 0; `min_overlaps`, and counts: `frames`, `objects` and `detections` by class, `undefined_precisions`.
    """
    scene = Scene(labels, detections, rules.overlap_table(min_overlaps))
    report: Report = {}
    undefined = 0
    for class_, name in enumerate(CLASSES):
        report[name] = {metric: _not_evaluated() for metric in (*METRICS, 'aos')}
        for metric, metric_name in enumerate(METRICS):
            if not scene.is_evaluated(metric_name, class_):
                continue
            curves = [scene.curve(metric, class_, difficulty) for difficulty in range(len(DIFFICULTIES))]
            report[name][metric_name] = _average_precision([curve[0] for curve in curves])
            if metric_name == 'bbox' and scene.has_orientation():
                report[name]['aos'] = _average_precision([curve[1] for curve in curves])
            undefined += sum(curve[2] for curve in curves)
    report['mAP'] = _mean_over_classes(report)
    report['min_overlaps'] = {
        name: dict(zip(METRICS, column, strict=True))
        for name, column in zip(CLASSES, scene.min_overlaps.T.tolist(), strict=True)
    }
    report['frames'] = len(labels.starts) - 1
    report['objects'] = _counts(labels)
    report['detections'] = _counts(detections)
    report['undefined_precisions'] = undefined
    return report


def _average_precision(curves: list[np.ndarray]) -> dict[str, list[float | None]]:
    """Return AP at 11 and at 40 recall positions, percent, of the (41,) curves of the difficulties.

    Each value first becomes the greatest of itself and all later ones.
    """
    falling = [np.maximum.accumulate(curve[::-1])[::-1] for curve in curves]
    return {name: [100.0 * float(curve[part].mean()) for curve in falling] for name, part in _RECALLS.items()}


def _not_evaluated() -> dict[str, list[float | None]]:
    """Return the entry of a class and metric that no detection speaks of."""
    return {name: [None] * len(DIFFICULTIES) for name in _RECALLS}


def _mean_over_classes(report: Report) -> Report:
    """Return the mean of the three classes; what is not evaluated counts as 0."""
    return {
        metric: {
            name: [
                sum(report[class_][metric][name][difficulty] or 0.0 for class_ in CLASSES) / len(CLASSES)
                for difficulty in range(len(DIFFICULTIES))
            ]
            for name in _RECALLS
        }
        for metric in (*METRICS, 'aos')
    }


def _counts(objects: ObjectTable) -> dict[str, int]:
    """Return the number of objects by evaluated class."""
    return {name: int((objects.codes == code).sum()) for code, name in enumerate(CLASSES)}
