"""What the check of a segmentation data set found: a summary to read, the same as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.datasets.parallel import map_frames
from pointkd.datasets.segmentation_check import KINDS, LabelProblem, LabelRules, Pair, PairReport, check_pair

SHOWN = 10


@dataclass
class SegmentationReport:
    """The check of a whole data set.

    Attributes:
        root: its folder.
        classes: names of the classes that are learnt.
        images: one report an image.
        list_problems: what is wrong with lists.
    """

    root: Path
    classes: tuple[str, ...]
    images: list[PairReport]
    list_problems: list[LabelProblem] = field(default_factory=list)

    def broken(self) -> list[str]:
        """Return the names of the broken images."""
        return [report.pair.name for report in self.images if report.broken()]

    def ok(self) -> bool:
        """Return whether nothing is broken."""
        return not self.list_problems and not self.broken()

    def splits(self) -> dict[str, int]:
        """Return the number of images by split."""
        names = [report.pair.split for report in self.images]
        return {split: names.count(split) for split in dict.fromkeys(names)}

    def by_kind(self) -> dict[str, list[tuple[str, str]]]:
        """Return (image, message) by kind of problem; `-` stands for the lists."""
        found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
        for problem in self.list_problems:
            found[problem.kind].append(('-', problem.message))
        for report in self.images:
            for problem in report.problems:
                found[problem.kind].append((report.pair.name, problem.message))
        return {kind: entries for kind, entries in found.items() if entries}

    def class_numbers(self, split: str) -> dict[str, dict[str, float]]:
        """Return the share of pixels in percent, and the images, of each class and of void in a split."""
        pixels = np.array([report.pixels for report in self.images if report.pair.split == split])
        whole = max(int(pixels.sum()), 1)
        return {
            name: {'percent': 100 * int(column.sum()) / whole, 'images': int((column > 0).sum())}
            for name, column in zip([*self.classes, 'void'], pixels.T, strict=True)
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        problems = {
            kind: {'broken': KINDS[kind], 'entries': [{'image': name, 'message': text} for name, text in entries]}
            for kind, entries in self.by_kind().items()
        }
        return {
            'root': str(self.root),
            'ok': self.ok(),
            'images': self.splits(),
            'broken_images': self.broken(),
            'problems': problems,
            'classes': {split: self.class_numbers(split) for split in self.splits()},
        }


def check_pairs(
    root: str | Path,
    rules: LabelRules,
    pairs: Sequence[Pair],
    list_problems: Sequence[LabelProblem] = (),
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SegmentationReport:
    """Check all images of a data set.

    Args:
        root: its folder.
        rules: what its label images may hold.
        pairs: the files of each image.
        list_problems: what is wrong with its lists.
        jobs: number of processes.
        progress: called with the number of images done and to do.
    """
    reports: list[PairReport] = []
    progress(0, len(pairs))
    for report in map_frames(partial(check_pair, rules), pairs, jobs):
        reports.append(report)
        progress(len(reports), len(pairs))
    return SegmentationReport(Path(root), rules.classes, reports, list(list_problems))


def describe(report: SegmentationReport) -> str:
    """Return the summary as text."""
    counts = ', '.join(f'{split} {count}' for split, count in report.splits().items())
    lines = [f'{report.root}: {len(report.images)} images' + (f' ({counts})' if counts else ''), '']
    lines += [*_class_table(report), '']
    for kind, entries in report.by_kind().items():
        weight = 'broken' if KINDS[kind] else 'worth a look'
        images = len({name for name, _ in entries if name != '-'})
        lines.append(f'{kind}: {images} images ({weight})' if images else f'{kind} ({weight})')
        lines += [f'  {name}  {message}' for name, message in entries[:SHOWN]]
        if len(entries) > SHOWN:
            lines.append(f'  ... and {len(entries) - SHOWN} more (all with --json)')
        lines.append('')
    if report.ok():
        lines.append('Nothing is broken.')
    else:
        lists_too = ' and the lists' if report.list_problems else ''
        lines.append(f'{len(report.broken())} of {len(report.images)} images{lists_too} are broken.')
    return '\n'.join(lines)


def _class_table(report: SegmentationReport) -> list[str]:
    """Return a row for each class: share of pixels, images that have it, by split."""
    splits = list(report.splits())
    numbers = {split: report.class_numbers(split) for split in splits}
    lines = [f'{"":<16}' + ''.join(f'{f"{split}: pixels %, images":>26}' for split in splits)]
    for name in [*report.classes, 'void']:
        cells = (f'{numbers[split][name]["percent"]:.3f}{numbers[split][name]["images"]:>9}' for split in splits)
        lines.append(f'{name:<16}' + ''.join(f'{cell:>26}' for cell in cells))
    return lines
