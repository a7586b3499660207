"""Compiled matching of labels and detections: score thresholds, then right and wrong at each of them."""

from __future__ import annotations

import numpy as np

from pointkd.evaluation.jit import kernel

# State of a label or detection for one class and difficulty.
COUNTS, IGNORED, OUT = 0, 1, -1

_POINTS = 41  # recall positions
_LOWEST_SCORE = -1e7  # the first pass takes only detections above


@kernel
def precision_curve(  # type: ignore[no-untyped-def]
    label_state, detection_state, pair_starts, pair_detections, overlaps, min_overlap, scores, forgiven, turn
):
    """Return precision and orientation similarity at 41 recall positions, for one class, metric and difficulty.

    Args:
        label_state: (L,) int8, COUNTS, IGNORED or OUT.
        detection_state: (D,) int8, COUNTS (valid), IGNORED or OUT.
        pair_starts: (L+1,) int64, first pair of each label.
        pair_detections: (P,) int64, detections of the pairs, in the order of the file.
        overlaps: (P,) float64.
        min_overlap: what a pair must exceed.
        scores: (D,) float64.
        forgiven: (D,) bool, lies in a DontCare area: not wrong when left over.
        turn: (P,) float64, alpha of the label minus alpha of the detection, radians.

    Returns:
        precision, similarity: (41,) float64, 0 beyond the last threshold;
        undefined: thresholds where nothing is right or wrong, 0/0 taken as 0.
    """
    starts, pairs, labels = _select(label_state, detection_state, pair_starts, pair_detections, overlaps, min_overlap)
    noted = _noted_scores(label_state, detection_state, labels, starts, pairs, pair_detections, scores)
    thresholds = _thresholds(noted, np.sum(label_state == COUNTS))
    wrong = _candidates_for_wrong(detection_state, scores, forgiven, thresholds)
    precision, similarity = np.zeros(_POINTS), np.zeros(_POINTS)
    taken = np.full(scores.size, -1, np.int64)  # last threshold at which a detection was used up
    undefined = 0
    for position in range(thresholds.size):
        right, wrong_taken, alike = 0, 0, 0.0
        for index in range(labels.size):
            pair = _best_pair(
                starts[index], starts[index + 1], pairs, pair_detections, overlaps, detection_state, scores, taken,
                thresholds[position], position,
            )  # fmt: skip
            if pair < 0:
                continue
            detection = pair_detections[pair]
            taken[detection] = position
            if not forgiven[detection]:
                wrong_taken += 1
            if label_state[labels[index]] == COUNTS:
                right += 1
                alike += (1.0 + np.cos(turn[pair])) / 2.0
        judged = right + wrong[position] - wrong_taken
        if judged > 0:
            precision[position], similarity[position] = right / judged, alike / judged
        else:
            undefined += 1
    return precision, similarity, undefined


@kernel
def _select(label_state, detection_state, pair_starts, pair_detections, overlaps, min_overlap):  # type: ignore[no-untyped-def]
    """Return the pairs that can match, label by label: starts (K+1,), pairs (Q,), labels (K,)."""
    labels = np.empty(label_state.size, np.int64)
    starts = np.zeros(label_state.size + 1, np.int64)
    pairs = np.empty(pair_detections.size, np.int64)
    chosen, count = 0, 0
    for label in range(label_state.size):
        if label_state[label] == OUT:
            continue
        for pair in range(pair_starts[label], pair_starts[label + 1]):
            if overlaps[pair] > min_overlap and detection_state[pair_detections[pair]] != OUT:
                pairs[count] = pair
                count += 1
        if count > starts[chosen]:
            labels[chosen] = label
            chosen += 1
            starts[chosen] = count
    return starts[: chosen + 1], pairs[:count], labels[:chosen]


@kernel
def _noted_scores(label_state, detection_state, labels, starts, pairs, pair_detections, scores):  # type: ignore[no-untyped-def]
    """First pass: each label takes the free detection of highest score; return the scores of the right ones."""
    taken = np.zeros(scores.size, np.bool_)
    noted = np.empty(labels.size)
    count = 0
    for index in range(labels.size):
        best, highest = -1, _LOWEST_SCORE
        for pair in pairs[starts[index] : starts[index + 1]]:
            detection = pair_detections[pair]
            if not taken[detection] and scores[detection] > highest:
                best, highest = detection, scores[detection]
        if best < 0:
            continue
        taken[best] = True
        if label_state[labels[index]] == COUNTS and detection_state[best] == COUNTS:
            noted[count] = highest
            count += 1
    return noted[:count]


@kernel
def _thresholds(noted, counting):  # type: ignore[no-untyped-def]
    """Return, falling, the scores at which recall comes nearest to 0, 1/40, 2/40 ... of the counting labels."""
    ordered = np.sort(noted)[::-1]
    thresholds = np.empty(_POINTS)
    count, recall = 0, 0.0
    for index in range(ordered.size):
        last = index == ordered.size - 1
        left = (index + 1) / counting
        right = left if last else (index + 2) / counting
        if (last or right - recall >= recall - left) and count < _POINTS:
            thresholds[count] = ordered[index]
            count += 1
            recall += 1.0 / (_POINTS - 1.0)
    return thresholds[:count]


@kernel
def _candidates_for_wrong(detection_state, scores, forgiven, thresholds):  # type: ignore[no-untyped-def]
    """Return, by threshold, the detections of at least its score that are wrong unless a label takes them."""
    counts = np.zeros(thresholds.size, np.int64)
    for detection in range(scores.size):
        if detection_state[detection] == COUNTS and not forgiven[detection]:
            low, high = 0, thresholds.size  # first threshold that the score reaches
            while low < high:
                middle = (low + high) // 2
                if thresholds[middle] <= scores[detection]:
                    high = middle
                else:
                    low = middle + 1
            if low < thresholds.size:
                counts[low] += 1
    return np.cumsum(counts)


@kernel
def _best_pair(  # type: ignore[no-untyped-def]
    start, stop, pairs, pair_detections, overlaps, detection_state, scores, taken, threshold, position
):
    """Second pass: return a label's pair of greatest overlap with a valid detection that is left, or -1.

    Officially a label with no such detection takes its first ignored one. That makes nothing right or wrong, and keeps
    no valid detection from another label, so it is left out here.
    """
    best, greatest = -1, 0.0
    for index in range(start, stop):
        pair = pairs[index]
        detection = pair_detections[pair]
        if detection_state[detection] != COUNTS or taken[detection] == position or scores[detection] < threshold:
            continue
        if overlaps[pair] > greatest:
            best, greatest = pair, overlaps[pair]
    return best
