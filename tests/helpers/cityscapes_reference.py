"""The Cityscapes metric as plain sums over pixels, written from its rules alone."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.cityscapes.rules import CATEGORIES, CLASS_IDS, INSTANCE_CATEGORIES, MEAN_SIZES

Image = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, predictions, instances
EVALUATED = set(CLASS_IDS.values())


def iou(images: list[Image], ids: set[int]) -> float | None:
    """IoU of a class, or of a category with all its classes' ids, in percent."""
    right = missed = false = 0
    for labels, predictions, _ in images:
        for label, prediction in zip(labels.ravel().tolist(), predictions.ravel().tolist(), strict=True):
            if label in ids:
                right += prediction in ids
                missed += prediction not in ids
            elif label in EVALUATED:
                false += prediction in ids
    return percent(right, right + missed + false)


def instance_iou(images: list[Image], classes: set[int], accepted: set[int]) -> float | None:
    """iIoU of instances of some classes, right where one of the accepted ids is predicted."""
    sizes = {CLASS_IDS[name]: size for name, size in MEAN_SIZES.items()}
    right = wrong = false = 0.0
    for labels, predictions, instances in images:
        for value in np.unique(instances):
            own = int(value) // 1000
            if value > 1000 and own in classes and own in sizes:
                inside = predictions[instances == value].tolist()
                hits = sum(prediction in accepted for prediction in inside)
                right += hits * sizes[own] / len(inside)
                wrong += (len(inside) - hits) * sizes[own] / len(inside)
        for label, prediction in zip(labels.ravel().tolist(), predictions.ravel().tolist(), strict=True):
            false += label in EVALUATED and label not in classes and prediction in accepted
    return percent(right, right + wrong + false)


def percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def evaluate(images: list[Image]) -> dict:
    """All official numbers of a set."""
    classes = {name: iou(images, {own}) for name, own in CLASS_IDS.items()}
    categories = {name: iou(images, {CLASS_IDS[own] for own in members}) for name, members in CATEGORIES.items()}
    instances = {name: instance_iou(images, {CLASS_IDS[name]}, {CLASS_IDS[name]}) for name in MEAN_SIZES}
    by_category = [instance_iou(images, set(ids), set(ids)) for ids in INSTANCE_CATEGORIES.values()]
    pixels = [
        pair for labels, predictions, _ in images for pair in zip(labels.ravel(), predictions.ravel(), strict=True)
    ]
    hits = {own: [label == prediction for label, prediction in pixels if label == own] for own in EVALUATED}
    return {
        'mIoU': mean(list(classes.values())),
        'IoU': classes,
        'mIoU_categories': mean(list(categories.values())),
        'IoU_categories': categories,
        'iIoU': mean(list(instances.values())),
        'iIoU_classes': instances,
        'iIoU_categories': mean(by_category),
        'mAcc': mean([percent(sum(own), len(own)) for own in hits.values()]),
        'aAcc': percent(sum(map(sum, hits.values())), sum(map(len, hits.values()))),
        'images': len(images),
    }
