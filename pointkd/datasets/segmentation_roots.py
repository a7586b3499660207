"""Checks whole data sets in the layout of Cityscapes or CamVid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from pointkd.datasets import camvid_layout, cityscapes_layout
from pointkd.datasets.segmentation_check import LabelProblem, Pair
from pointkd.datasets.segmentation_report import SegmentationReport, check_pairs

Progress = Callable[[int, int], None]


def check_cityscapes(
    root: str | Path, splits: tuple[str, ...] = (), jobs: int = 1, progress: Progress = lambda done, total: None
) -> SegmentationReport:
    """Check every image and label of a data set in Cityscapes layout.

    Args:
        root: folder with leftImg8bit and gtFine.
        splits: those to look at; default all.
        jobs: number of processes.
        progress: called with the number of images done and to do.

    Raises:
        DataError: there is no such layout, or no such split.
    """
    found = cityscapes_layout.splits_of(root, splits)
    pairs = [pair for split in found for pair in cityscapes_layout.find_pairs(root, split)]
    empty = [split for split in found if not any(pair.split == split for pair in pairs)]
    problems = [LabelProblem('bad list', f'{root}: the split {split} has neither image nor label') for split in empty]
    return check_pairs(root, cityscapes_layout.label_rules(), pairs, problems, jobs, progress)


def check_camvid(root: str | Path, jobs: int = 1, progress: Progress = lambda done, total: None) -> SegmentationReport:
    """Check every image and label that the lists of a data set in CamVid layout name.

    Args:
        root: folder with train.txt, val.txt, test.txt.
        jobs: number of processes.
        progress: called with the number of images done and to do.

    Raises:
        DataError: there is no such layout.
    """
    lists: dict[str, list[Pair]] = {}
    problems = []
    for split, path in camvid_layout.list_paths(root).items():
        lists[split], found = camvid_layout.read_list(root, path, split)
        twice = sorted(name for name, count in Counter(pair.name for pair in lists[split]).items() if count > 1)
        problems += found
        if twice:
            problems.append(LabelProblem('bad list', f'{path}: {len(twice)} images come twice, first {twice[0]}'))
    for first, second in combinations(lists, 2):
        both = sorted({pair.image.stem for pair in lists[first]} & {pair.image.stem for pair in lists[second]})
        if both:
            message = f'{len(both)} images are in both {first} and {second}, first {both[0]}'
            problems.append(LabelProblem('bad list', message))
    pairs = [pair for found in lists.values() for pair in found]
    return check_pairs(root, camvid_layout.label_rules(), pairs, problems, jobs, progress)
