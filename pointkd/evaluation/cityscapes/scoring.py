"""Scores of what was counted, by the rules of cityscapesScripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pointkd.evaluation.boundary import boundary_report
from pointkd.evaluation.cityscapes.counts import CityscapesCounts
from pointkd.evaluation.cityscapes.rules import (
    CATEGORIES,
    CLASS_IDS,
    CLASSES,
    EVALUATED,
    INSTANCE_CATEGORIES,
    INSTANCE_CLASSES,
)

Report = dict[str, Any]
Scores = dict[str, float | None]


def report(counts: CityscapesCounts, with_instances: bool = True) -> Report:
    """Return the scores of a set, in percent, None where undefined.

    Args:
        counts: of the whole set.
        with_instances: False where no instance image was counted: the iIoU are None then.

    Returns:
        `mIoU`, `IoU` {19 classes}, `mIoU_categories`, `IoU_categories` {7}, `iIoU`, `iIoU_classes` {8},
        `iIoU_categories`, `mAcc`, `aAcc`, `images`; where boundaries were counted, `boundary`: `trimap_mIoU`
        {radius}, `F`, `boundary_IoU`, and `boundary_classes`: `F` and `boundary_IoU` {19 classes}.
    """
    confusion = counts.confusion
    classes = {name: _iou(confusion, [own]) for name, own in CLASS_IDS.items()}
    categories = {name: _iou(confusion, [CLASS_IDS[own] for own in members]) for name, members in CATEGORIES.items()}
    instances, instance_categories = _instance_scores(counts) if with_instances else _no_instance_scores()
    rows = confusion[EVALUATED]
    right, labelled = confusion[EVALUATED, EVALUATED], rows.sum(axis=1)
    scores: Report = {
        'mIoU': _mean(classes),
        'IoU': classes,
        'mIoU_categories': _mean(categories),
        'IoU_categories': categories,
        'iIoU': _mean(instances),
        'iIoU_classes': instances,
        'iIoU_categories': _mean(instance_categories),
        'mAcc': _mean(dict(enumerate(map(_percent, right, labelled)))),
        'aAcc': _percent(right.sum(), labelled.sum()),
        'images': counts.images,
    }
    return scores | (boundary_report(counts.boundary, CLASSES) if counts.boundary else {})


def _iou(confusion: np.ndarray, ids: list[int]) -> float | None:
    """Return TP / (TP + FP + FN) of a class or category; the columns of ignored labels do not count as false."""
    right = confusion[ids][:, ids].sum()
    missed = confusion[ids].sum() - right
    return _percent(right, right + missed + _false_positives(confusion, ids, ids))


def _false_positives(confusion: np.ndarray, ids: Sequence[int], columns: Sequence[int]) -> int:
    """Return the pixels of other evaluated classes than ids that are predicted as one of the columns."""
    others = np.setdiff1d(EVALUATED, list(ids))
    counted: np.ndarray = confusion[others][:, list(columns)]
    return int(counted.sum())


def _instance_scores(counts: CityscapesCounts) -> tuple[Scores, Scores]:
    """Return the iIoU by class and by category."""
    classes, categories = {}, {}
    for name in INSTANCE_CLASSES:
        own = CLASS_IDS[name]
        right, wrong = counts.instances[own]
        classes[name] = _percent(right, right + wrong + _false_positives(counts.confusion, [own], [own]))
    for (name, ids), (right, wrong) in zip(INSTANCE_CATEGORIES.items(), counts.categories, strict=True):
        categories[name] = _percent(right, right + wrong + _false_positives(counts.confusion, ids, ids))
    return classes, categories


def _no_instance_scores() -> tuple[Scores, Scores]:
    """Return the scores of sets without instance images."""
    return dict.fromkeys(INSTANCE_CLASSES), dict.fromkeys(INSTANCE_CATEGORIES)


def _percent(part: float, whole: float) -> float | None:
    """Return part / whole in percent, None where whole is 0."""
    return 100 * float(part) / float(whole) if whole else None


def _mean(scores: dict[Any, float | None]) -> float | None:
    """Return the mean of what is defined, None where nothing is."""
    defined = [value for value in scores.values() if value is not None]
    return sum(defined) / len(defined) if defined else None
