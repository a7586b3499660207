"""The two ways in: folders of KITTI text files, and objects in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointkd.core.errors import DataError
from pointkd.core.kitti import KittiObjects
from pointkd.evaluation.kitti.folders import find_files, read_table
from pointkd.evaluation.kitti.objects import table_from_frames
from pointkd.evaluation.kitti.rules import MinOverlaps, StandFor
from pointkd.evaluation.kitti.scoring import Report, score


def evaluate_folders(
    labels: str | Path,
    results: str | Path,
    frames: Sequence[str] | None = None,
    only_with_results: bool = False,
    min_overlaps: MinOverlaps | None = None,
    stand_for: StandFor | None = None,
) -> Report:
    """Evaluate a folder of result files as the official KITTI program does.

    Args:
        labels: folder of `ID.txt` with 15 columns a row.
        results: folder of `ID.txt` with 16 columns a row (the last is the score).
        frames: IDs to evaluate; default every label file.
        only_with_results: leave out frames without a result file; otherwise they count as frames without detections.
        min_overlaps: overlaps other than the official ones, `{'Car': 0.5}` or `{'Car': {'bev': 0.5, '3d': 0.5}}`.
        stand_for: class names of your own and whose rules hold for them, `{'Forklift': 'Car'}`; their numbers are that
            class's, together with its own objects.

    Returns:
        The report of `evaluate_frames`, and `extra_files`: result files of frames that have no label file;
        `dropped_rows`: `{'labels': n, 'results': n}`, rows with too few columns, which take no part.

    Raises:
        DataError: see `find_files`, `read_table` and `ObjectTable.check`; the message names file and line.
        ConfigError: min_overlaps names an unknown class or metric, or a value that is not between 0 and 1.
    Source: object development kit, cpp/evaluate_object.cpp. We differ where it is wrong or crashes: overlaps are exact
        (Boost rounds to a grid), 0/0 is 0, and exactly one of width and length below zero is an error.
    """
    files = find_files(labels, results, frames, only_with_results)
    label_table, label_rows_dropped = read_table(files.labels, False, stand_for)
    result_table, result_rows_dropped = read_table(files.results, True, stand_for)
    label_table.check_labels()
    result_table.check()
    report = score(label_table, result_table, min_overlaps)
    report['missing_files'] = files.missing
    report['extra_files'] = files.extra
    report['dropped_rows'] = {'labels': label_rows_dropped, 'results': result_rows_dropped}
    return report


def evaluate_frames(
    labels: Sequence[KittiObjects],
    results: Sequence[KittiObjects | None],
    min_overlaps: MinOverlaps | None = None,
    stand_for: StandFor | None = None,
) -> Report:
    """Evaluate detections in memory; the same numbers as `evaluate_folders` on files that hold the same values.

    Args:
        labels: objects of each frame.
        results: detections of the same frames, with scores; None counts as a missing file (no detections).
        min_overlaps, stand_for: as for `evaluate_folders`.

    Returns:
        `{class: {metric: {'AP11': [easy, moderate, hard], 'AP40': [...]}}}` in percent for Car, Pedestrian, Cyclist and
        bbox, bev, 3d, aos, None where no detection speaks of it; `mAP` of the same shape, the mean of the three classes
        with None as 0; `missing_files`; `min_overlaps`; and counts: `frames`, `objects`, `detections`,
        `undefined_precisions` (thresholds where precision is 0/0, taken as 0).

    Raises:
        DataError: another number of results than of labels, no frames, detections without scores, numbers that are not
            finite, exactly one of width and length below zero.
        ConfigError: see `evaluate_folders`.
    """
    if len(labels) != len(results):
        raise DataError(f'expected results for {len(labels)} frames, got {len(results)}')
    if not labels:
        raise DataError('no frames to evaluate')
    label_table = table_from_frames(labels, 'labels', stand_for)
    result_table = table_from_frames(results, 'results', stand_for)
    label_table.check_labels()
    result_table.check()
    report = score(label_table, result_table, min_overlaps)
    report['missing_files'] = sum(detections is None for detections in results)
    return report
