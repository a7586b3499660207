"""Compiled matching of labels and detections, at every overlap threshold and limit on the number of detections."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

# Kinds of label. IGNORED ones (score 0) absorb any number of detections. Those of OTHER_SIZE take one each, as the
# labels outside an area range do in COCO; the benchmark itself has none.
ORDINARY, IGNORED, OTHER_SIZE = 0, 1, 2

# What becomes of a detection; those beyond the limit stay UNUSED, those that count neither way too.
UNUSED, RIGHT, WRONG = 0, 1, 2


@kernel
def match(  # type: ignore[no-untyped-def]
    label_boxes, label_kinds, label_starts, boxes, places, forgiven, starts, thresholds, limits
):
    """Decide for each detection whether it is right or wrong.

    Args:
        label_boxes: (L, 4) x, y, width, height, group after group; a group is the part of one image and one class.
        label_kinds: (L,) int64; in a group first the ORDINARY labels, then the others, each in the order of the file.
        label_starts: (G+1,) first label of each group.
        boxes: (D, 4) detections, in each group by falling score.
        places: (D,) place of each detection among all of its image.
        forgiven: (D,) bool, not wrong when nothing matches.
        starts: (G+1,) first detection of each group.
        thresholds: (T,) float64, rising, the lowest above 0.
        limits: (N,) int64; a detection takes part where its place is below the limit.

    Returns:
        (N, T, D) int8: RIGHT, WRONG or UNUSED.
    """
    outcomes = np.zeros((limits.size, thresholds.size, len(boxes)), np.int8)
    for group in range(starts.size - 1):
        first, last = starts[group], starts[group + 1]
        if first == last:
            continue
        kinds = label_kinds[label_starts[group] : label_starts[group + 1]]
        pair_starts, labels, overlaps = _pairs(
            label_boxes[label_starts[group] : label_starts[group + 1]], kinds, boxes[first:last], thresholds[0]
        )
        taken = np.empty(kinds.size, np.bool_)
        counting = -1
        for number in range(limits.size):
            before, counting = counting, np.sum(places[first:last] < limits[number])
            if counting == before:  # a longer limit that lets no further detection in
                outcomes[number, :, first:last] = outcomes[number - 1, :, first:last]
                continue
            for place in range(thresholds.size):
                taken[:] = False
                _match_group(
                    kinds, taken, pair_starts, labels, overlaps, places[first:last], forgiven[first:last],
                    thresholds[place], limits[number], outcomes[number, place, first:last],
                )  # fmt: skip
    return outcomes


@kernel
def _pairs(label_boxes, kinds, boxes, least):  # type: ignore[no-untyped-def]
    """Return the labels that reach the least overlap with each detection: starts (D+1,), labels (P,), overlaps (P,)."""
    starts = np.zeros(len(boxes) + 1, np.int64)
    labels = np.empty(len(boxes) * len(label_boxes), np.int64)
    overlaps = np.empty(labels.size)
    count = 0
    for detection in range(len(boxes)):
        for label in range(len(label_boxes)):
            overlap = _overlap(boxes[detection], label_boxes[label], kinds[label] == IGNORED)
            if overlap >= least:
                labels[count], overlaps[count] = label, overlap
                count += 1
        starts[detection + 1] = count
    return starts, labels[:count], overlaps[:count]


@kernel
def _overlap(box, label, of_box):  # type: ignore[no-untyped-def]
    """Return intersection over union, or over the box's own area."""
    width = min(box[0] + box[2], label[0] + label[2]) - max(box[0], label[0])
    if width <= 0:
        return 0.0
    height = min(box[1] + box[3], label[1] + label[3]) - max(box[1], label[1])
    if height <= 0:
        return 0.0
    shared = width * height
    area = box[2] * box[3]
    return shared / area if of_box else shared / (area + label[2] * label[3] - shared)


@kernel
def _match_group(  # type: ignore[no-untyped-def]
    kinds, taken, pair_starts, labels, overlaps, places, forgiven, threshold, limit, outcomes
):
    """Match one image and class at one threshold and limit; fill outcomes (D,), with taken (L,) to write on.

    Among equal overlaps the last ordinary label wins, among ignored ones the first.
    """
    for detection in range(places.size):
        if places[detection] >= limit:
            continue
        best, greatest = -1, threshold
        for pair in range(pair_starts[detection], pair_starts[detection + 1]):
            label = labels[pair]
            if taken[label]:
                continue
            if kinds[label] != ORDINARY and best >= 0:
                break
            if overlaps[pair] >= greatest:
                best, greatest = label, overlaps[pair]
        if best < 0:
            outcomes[detection] = UNUSED if forgiven[detection] else WRONG
            continue
        taken[best] = kinds[best] != IGNORED
        if kinds[best] == ORDINARY:
            outcomes[detection] = RIGHT


@kernel
def curve_numbers(outcomes, order, labels):  # type: ignore[no-untyped-def]
    """Return average precision and greatest recall of one class, at every limit and threshold.

    Args:
        outcomes: (N, T, D) of all detections.
        order: (K,) the class's detections, by falling score.
        labels: number of its labels.

    Returns:
        precision: (N, T) area under precision over recall, precision made non-increasing from the right;
        recall: (N, T).
    """
    precision, recall = np.zeros(outcomes.shape[:2]), np.zeros(outcomes.shape[:2])
    at_right = np.empty(order.size)
    for number in range(outcomes.shape[0]):
        for place in range(outcomes.shape[1]):
            right, wrong = 0, 0
            for detection in order:
                outcome = outcomes[number, place, detection]
                if outcome == RIGHT:
                    right += 1
                    at_right[right - 1] = right / (right + wrong)
                elif outcome == WRONG:
                    wrong += 1
            # Recall rises by the same step at each right detection, and nowhere else.
            highest, area = 0.0, 0.0
            for step in range(right - 1, -1, -1):
                highest = max(highest, at_right[step])
                area += highest
            precision[number, place], recall[number, place] = area / max(1, labels), right / max(1, labels)
    return precision, recall
