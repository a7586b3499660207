"""The way in: folders of PNG files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pointkd.core.errors import DataError, PointKDError
from pointkd.core.label_images import read_label_image
from pointkd.evaluation.cityscapes.counts import CityscapesCounter, CityscapesCounts
from pointkd.evaluation.cityscapes.files import Pair, find_files
from pointkd.evaluation.cityscapes.scoring import Report, report

MOST_JOBS = 8  # beyond, the threads wait for one another where images are unpacked


def evaluate_folders(
    labels: str | Path,
    results: str | Path,
    boundary: bool = True,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Evaluate a folder of predictions as cityscapesScripts does.

    Args:
        labels: folder with `CITY/CITY_SEQ_FRAME_gtFine_labelIds.png` (ids), instances beside them in
            `..._gtFine_instanceIds.png`.
        results: folder with one PNG of ids for each label, at any depth, whose name begins with `CITY_SEQ_FRAME`.
        boundary: also evaluate the boundary metrics.
        jobs: threads; default one for each processor, at most 8.
        progress: called with the number of images done and to do.

    Returns:
        See `scoring.report`, and `extra_files`: PNG files of the results that belong to no label.

    Raises:
        DataError: see `find_files`; a file is no PNG image with one channel, has a value that is no id, or another
            size than its label. The message names the file.
    Source: cityscapesScripts, evaluation of pixel-level semantic labelling; equal to its plain Python path.
    """
    files = find_files(labels, results)
    total = CityscapesCounts.zero(boundary)
    progress(0, len(files.pairs))
    for counts in _count_all(files.pairs, boundary, jobs or min(len(os.sched_getaffinity(0)), MOST_JOBS)):
        total = total + counts
        progress(total.images, len(files.pairs))
    scores = report(total, files.with_instances())
    scores['extra_files'] = files.extra
    return scores


def count_pair(pair: Pair, counter: CityscapesCounter) -> CityscapesCounts:
    """Return the counts of one image, from its files.

    Raises:
        DataError: see `evaluate_folders`.
    """
    label, prediction = read_label_image(pair.label), read_label_image(pair.prediction)
    instances = read_label_image(pair.instance) if pair.instance else None
    try:
        return counter.count(label, prediction, instances)
    except PointKDError as error:
        raise DataError(f'{pair.prediction}, label {pair.label}: {error}') from error


def _count_all(pairs: Sequence[Pair], boundary: bool, jobs: int) -> Iterator[CityscapesCounts]:
    """Yield the counts of each image, in order."""
    if min(jobs, len(pairs)) <= 1:
        counter = CityscapesCounter(boundary)
        yield from (count_pair(pair, counter) for pair in pairs)
        return
    own = threading.local()

    def count(pair: Pair) -> CityscapesCounts:
        if not hasattr(own, 'counter'):
            own.counter = CityscapesCounter(boundary)
        return count_pair(pair, own.counter)

    pool = ThreadPoolExecutor(min(jobs, len(pairs)))
    try:
        yield from pool.map(count, pairs)
    finally:
        pool.shutdown(cancel_futures=True)
