"""Compiled counts of one image: pairs of ids, and the pixels of each instance."""

from __future__ import annotations

from pointkd.evaluation.jit import kernel


@kernel
def count_pairs(labels, predictions, table, confusion, train_labels, train_predictions):  # type: ignore[no-untyped-def]
    """Count the pairs of label and prediction, and translate both.

    Args:
        labels, predictions: (H, W) uint8, ids below the size of confusion.
        table: (256,) uint8, train id of each id.
        confusion: (I, I) int64, counts are added; rows are labels.
        train_labels, train_predictions: (H, W) uint8, written: their train ids.
    """
    height, width = labels.shape
    for y in range(height):
        label, prediction, run = labels[y, 0], predictions[y, 0], 0
        for x in range(width):
            if labels[y, x] != label or predictions[y, x] != prediction:  # neighbours are mostly alike: count runs
                confusion[label, prediction] += run
                label, prediction, run = labels[y, x], predictions[y, x], 0
            run += 1
            train_labels[y, x] = table[label]
            train_predictions[y, x] = table[prediction]
        confusion[label, prediction] += run


@kernel
def count_instances(instances, predictions, categories, first, ids_a_class, counts):  # type: ignore[no-untyped-def]
    """Count the pixels of each instance, and the right ones among them.

    Args:
        instances: (H, W) uint16, class id * ids_a_class + number.
        predictions: (H, W) uint8, ids.
        categories: (I,) int64, category of each id.
        first: smallest value that is an instance.
        ids_a_class: what an instance's value is divided by for its class.
        counts: (65536, 3) int64, written: by value pixels, those predicted as its class, those as its category.
    """
    counts[:] = 0
    for y in range(instances.shape[0]):
        for x in range(instances.shape[1]):
            value = instances[y, x]
            if value >= first:
                own, predicted = value // ids_a_class, predictions[y, x]
                counts[value, 0] += 1
                counts[value, 1] += predicted == own
                if own < categories.size:
                    counts[value, 2] += categories[predicted] == categories[own]
