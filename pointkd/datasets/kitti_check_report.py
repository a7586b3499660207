"""What the check of a KITTI data set found: a summary to read, the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.datasets.kitti_check_frame import KINDS, FrameReport, Problem
from pointkd.datasets.kitti_statistics import DISTANCES_M, FrameNumbers, points_by_distance

SHOWN_FRAMES = 10


@dataclass
class CheckReport:
    """The check of a whole data set.

    Attributes:
        root: its folder.
        frames: one report a frame.
        lists: number of frames by list.
        list_problems: what is wrong with the lists themselves.
        unlisted: number of frames with files that no list names.
    """

    root: Path
    frames: list[FrameReport]
    lists: dict[str, int] = field(default_factory=dict)
    list_problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0

    def broken(self) -> list[str]:
        """Return the names of the broken frames."""
        return [_name(report) for report in self.frames if report.broken()]

    def ok(self) -> bool:
        """Return whether nothing is broken."""
        return not self.list_problems and not self.broken()

    def numbers(self) -> list[FrameNumbers]:
        """Return the numbers of the frames that could be counted."""
        return [report.numbers for report in self.frames if report.numbers is not None]

    def by_kind(self) -> dict[str, list[tuple[str, str]]]:
        """Return (frame, message) by kind of problem; `-` stands for the lists."""
        found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
        for problem in self.list_problems:
            found[problem.kind].append(('-', problem.message))
        for report in self.frames:
            for problem in report.problems:
                found[problem.kind].append((_name(report), problem.message))
        return {kind: entries for kind, entries in found.items() if entries}

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        problems = {
            kind: {
                'broken': KINDS[kind],
                'entries': [{'frame': frame, 'message': message} for frame, message in entries],
            }
            for kind, entries in self.by_kind().items()
        }
        return {
            'root': str(self.root),
            'ok': self.ok(),
            'frames': len(self.frames),
            'lists': self.lists,
            'unlisted_frames': self.unlisted,
            'frames_without_image': sum(not report.has_image for report in self.frames),
            'frames_without_object': sum(not numbers.names for numbers in self.numbers()),
            'broken_frames': self.broken(),
            'problems': problems,
            'classes': {name: class_numbers(self.frames, name) for name in class_names(self.frames)},
            'distances_m': list(DISTANCES_M),
        }


def class_names(frames: Sequence[FrameReport]) -> list[str]:
    """Return all labelled classes, most frequent first."""
    names = [name for report in frames if report.numbers for name in report.numbers.names]
    return sorted(set(names), key=lambda name: (-names.count(name), name))


def class_numbers(frames: Sequence[FrameReport], name: str) -> dict[str, Any]:
    """Return how many objects of a class there are, how many count in the metric, and their points by distance."""
    counted = [report for report in frames if report.numbers is not None and name in report.numbers.names]
    levels = np.array(
        [level for report in counted for level, own in zip(report.levels, _names(report), strict=True) if own == name]
    )
    bins = points_by_distance([report.numbers for report in counted if report.numbers], name)
    return {
        'objects': len(levels),
        'frames': len(counted),
        'easy': int((levels == 0).sum()),
        'moderate': int(((levels >= 0) & (levels <= 1)).sum()),
        'hard': int((levels >= 0).sum()),
        'objects_by_distance': [count for count, _ in bins],
        'median_points_by_distance': [median if count else None for count, median in bins],
    }


def describe(report: CheckReport) -> str:
    """Return the summary as text."""
    lists = ', '.join(f'{name} {count}' for name, count in report.lists.items())
    lines = [f'{report.root}: {len(report.frames)} frames' + (f' (lists: {lists})' if lists else ' (no lists)')]
    without = sum(not frame.has_image for frame in report.frames)
    empty = sum(not numbers.names for numbers in report.numbers())
    notes = {
        'without image (LiDAR training needs none)': without,
        'without object': empty,
        'in no list': report.unlisted,
    }
    lines += [f'  {count} {what}' for what, count in notes.items() if count]
    lines += ['', *_class_table(report.frames), '']
    lines += _problem_lines(report)
    broken = report.broken()
    if report.ok():
        lines.append('Nothing is broken.')
    else:
        lists_too = ' and the lists' if report.list_problems else ''
        lines.append(f'{len(broken)} of {len(report.frames)} frames{lists_too} are broken.')
    return '\n'.join(lines)


def _names(report: FrameReport) -> list[str]:
    """Return the classes of a frame's labelled objects."""
    return report.numbers.names if report.numbers else []


def _name(report: FrameReport) -> str:
    """Return how a frame is called: frames of the testing half carry its name."""
    return report.task.frame if report.task.half == 'training' else f'{report.task.half}/{report.task.frame}'


def _class_table(frames: Sequence[FrameReport]) -> list[str]:
    """Return a row for each class: objects, those that count in the metric, points by distance."""
    names = class_names(frames)
    if not names:
        return ['No labelled object could be counted.']
    head = ' '.join(f'{f"{near}-{far} m":>12}' for near, far in pairwise(DISTANCES_M))
    lines = [
        f'{"":<16}{"objects":>8}{"easy":>7}{"moderate":>10}{"hard":>7}   median points in a box (boxes)',
        f'{"":<51}{head}',
    ]
    for name in names:
        row = class_numbers(frames, name)
        cells = ' '.join(
            f'{f"{median:.0f} ({count})" if count else "-":>12}'
            for count, median in zip(row['objects_by_distance'], row['median_points_by_distance'], strict=True)
        )
        lines.append(
            f'{name:<16}{row["objects"]:>8}{row["easy"]:>7}{row["moderate"]:>10}{row["hard"]:>7}   {cells}'.rstrip()
        )
    return lines


def _problem_lines(report: CheckReport) -> list[str]:
    """Return a paragraph for each kind of problem, its first frames with what is wrong."""
    lines = []
    for kind, entries in report.by_kind().items():
        weight = 'broken' if KINDS[kind] else 'worth a look'
        frames = len({frame for frame, _ in entries if frame != '-'})
        lines.append(f'{kind}: {frames} frames ({weight})' if frames else f'{kind} ({weight})')
        lines += [f'  {frame}  {message}' for frame, message in entries[:SHOWN_FRAMES]]
        if len(entries) > SHOWN_FRAMES:
            lines.append(f'  ... and {len(entries) - SHOWN_FRAMES} more (all with --json)')
        lines.append('')
    return lines
