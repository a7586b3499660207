"""The two ways in: folders of VisDrone text files, and rows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pointkd.core.errors import DataError
from pointkd.core.visdrone import CATEGORY
from pointkd.evaluation.visdrone.folders import find_files, measure_images, read_sizes, read_table
from pointkd.evaluation.visdrone.regions import drop_ignored
from pointkd.evaluation.visdrone.rows import RowTable, table_of
from pointkd.evaluation.visdrone.rules import IGNORED_REGION
from pointkd.evaluation.visdrone.scoring import Report, count_unknown, score


def evaluate_folders(
    labels: str | Path, results: str | Path, sizes: str | Path | None = None, images: str | Path | None = None
) -> Report:
    """Evaluate a folder of result files as the official VisDrone-DET toolkit does.

    Args:
        labels: folder of `STEM.txt`, rows `x,y,width,height,score,category,...`; every file is an image.
        results: folder of `STEM.txt`, likewise; a missing file counts as no detections.
        sizes: JSON file `{"STEM": [width, height]}`.
        images: folder of the images, in its place. One of both is needed where images have ignored regions.

    Returns:
        The report of `evaluate_images`, and `extra_files`: result files of images that have no label file.

    Raises:
        DataError: a folder or file is missing, broken or has too few columns, or an image with ignored regions has no
            known size; the message names file and line.
    Source: VisDrone2018-DET-toolkit 1.0.4 (calcAccuracy.m, dropObjectsInIgr.m, evalRes.m, VOCap.m). We differ where it
        stops with an error: missing and empty result files are images without detections.
    """
    files = find_files(labels, results)
    label_rows, result_rows = read_table(files.labels), read_table(files.results)
    if sizes is not None:
        known = read_sizes(sizes, files.stems)
    elif images is not None:
        known = measure_images(images, files.stems, _with_regions(label_rows))
    else:
        known = np.full((len(files.stems), 2), np.nan)
    report = _report(label_rows, result_rows, known, files.labels)
    report['missing_files'], report['extra_files'] = files.missing, files.extra
    return report


def evaluate_images(
    labels: Sequence[np.ndarray],
    results: Sequence[np.ndarray | None],
    sizes: Sequence[tuple[int, int] | None] | None = None,
    stems: Sequence[str] | None = None,
) -> Report:
    """Evaluate rows in memory; the same numbers as `evaluate_folders` on files that hold the same values.

    Args:
        labels: (N, 6 or more) rows x, y, width, height, score, category of each image, in alphabetical order of their
            names (it decides between detections of equal score).
        results: (M, 6 or more) rows of the same images, in the order of the file (only the first 500 count); None
            counts as a missing file.
        sizes: width and height of each image; needed for those with ignored regions.
        stems: names of the images in messages.

    Returns:
        `{'AP', 'AP50', 'AP75', 'AR1', 'AR10', 'AR100', 'AR500'}` in percent, None where no class has a label;
        `classes`: `{class: the same, and 'images', 'labels', 'detections'}`;
        `sizes`: `{'small' | 'medium' | 'large': the same, and 'labels'}`, not part of the benchmark;
        `plain_mean`: the same with each class counted once, not the benchmark's;
        counts: `evaluated_images`, `missing_files`, `dropped_rows` (`labels` and `results` in ignored regions),
        `unknown_categories` (rows of no category that the benchmark knows).

    Raises:
        DataError: another number of results or sizes than of labels, no images, rows with too few columns, numbers that
            are not finite, an image with ignored regions without a size.
    """
    for name, given in (('results', results), ('sizes', sizes), ('stems', stems)):
        if given is not None and len(given) != len(labels):
            raise DataError(f'expected {name} of {len(labels)} images, got {len(given)}')
    if not labels:
        raise DataError('no images to evaluate')
    names = [f'image {number}' for number in range(len(labels))] if stems is None else list(stems)
    known = np.full((len(labels), 2), np.nan)
    for number, size in enumerate(sizes or ()):
        if size is not None:
            known[number] = size
    label_rows = table_of(labels, lambda number: f'labels of {names[number]}')
    result_rows = table_of(results, lambda number: f'results of {names[number]}')
    report = _report(label_rows, result_rows, known, names)
    report['missing_files'] = sum(rows is None for rows in results)
    return report


def _report(labels: RowTable, results: RowTable, sizes: np.ndarray, names: Sequence[str]) -> Report:
    """Return the report without the counts of files."""
    kept_labels, kept_results = drop_ignored(labels, results, sizes, lambda number: names[number])
    report = score(kept_labels, kept_results)
    regions = int((labels.values[:, CATEGORY] == IGNORED_REGION).sum())
    report['evaluated_images'] = len(names)
    report['dropped_rows'] = {
        'labels': len(labels) - regions - len(kept_labels),
        'results': len(results) - len(kept_results),
    }
    report['unknown_categories'] = {'labels': count_unknown(labels), 'results': count_unknown(results)}
    return report


def _with_regions(labels: RowTable) -> np.ndarray:
    """Return (F,) bool, the images that have ignored regions."""
    regions = labels.only(labels.values[:, CATEGORY] == IGNORED_REGION)
    found: np.ndarray = np.diff(regions.starts) > 0
    return found
