"""What the check of a VisDrone data set found: a summary to read, the same as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.visdrone import CATEGORIES, CATEGORY, HEIGHT, WIDTH
from pointkd.datasets.visdrone.check_image import KINDS, ImageReport

SHOWN_IMAGES = 10
SMALL, LARGE = 32.0**2, 96.0**2  # square pixels, where COCO divides sizes


@dataclass
class CheckReport:
    """The check of a whole data set.

    Attributes:
        root: its folder.
        images: one report an image.
    """

    root: Path
    images: list[ImageReport]

    def broken(self) -> list[str]:
        """Return the names of the broken images, `part/stem`."""
        return [_name(report) for report in self.images if report.broken()]

    def ok(self) -> bool:
        """Return whether nothing is broken."""
        return not self.broken()

    def parts(self) -> dict[str, int]:
        """Return the number of images by part."""
        return dict(Counter(report.part for report in self.images))

    def by_kind(self) -> dict[str, list[tuple[str, str]]]:
        """Return (image, message) by kind of problem."""
        found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
        for report in self.images:
            for problem in report.problems:
                found[problem.kind].append((_name(report), problem.message))
        return {kind: entries for kind, entries in found.items() if entries}

    def rows(self) -> np.ndarray:
        """Return the labels of all images that could be read, (N, 8)."""
        return np.concatenate([np.zeros((0, 8)), *(report.rows for report in self.images if report.rows is not None)])

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, lists and strings."""
        return {
            'root': str(self.root),
            'ok': self.ok(),
            'parts': self.parts(),
            'broken_images': self.broken(),
            'problems': {
                kind: {
                    'broken': KINDS[kind],
                    'entries': [{'image': image, 'message': message} for image, message in entries],
                }
                for kind, entries in self.by_kind().items()
            },
            'categories': count_categories(self.rows()),
        }


def count_categories(rows: np.ndarray) -> dict[str, dict[str, int]]:
    """Return how many boxes of each category rows (N, 8) hold, and how many of them are small, medium, large."""
    areas = rows[:, WIDTH] * rows[:, HEIGHT]
    counts = {}
    for category, name in enumerate(CATEGORIES):
        own = areas[rows[:, CATEGORY] == category]
        small, large = int((own < SMALL).sum()), int((own >= LARGE).sum())
        counts[name] = {'boxes': len(own), 'small': small, 'medium': len(own) - small - large, 'large': large}
    return counts


def describe(report: CheckReport) -> str:
    """Return the summary as text."""
    parts = ', '.join(f'{name} {count}' for name, count in report.parts().items())
    lines = [f'{report.root}: {len(report.images)} images ({parts})', '', *_category_table(report.rows()), '']
    for kind, entries in report.by_kind().items():
        lines += [*problem_lines(kind, entries), '']
    broken = report.broken()
    lines.append(f'{len(broken)} of {len(report.images)} images are broken.' if broken else 'Nothing is broken.')
    return '\n'.join(lines)


def problem_lines(kind: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    """Return a paragraph about a kind of problem: its first images with what is wrong."""
    weight = 'broken' if KINDS[kind] else 'worth a look'
    lines = [f'{kind}: {len({image for image, _ in entries})} images ({weight})']
    lines += [f'  {message}' for _, message in entries[:SHOWN_IMAGES]]
    if len(entries) > SHOWN_IMAGES:
        lines.append(f'  ... and {len(entries) - SHOWN_IMAGES} more (all with --json)')
    return lines


def _name(report: ImageReport) -> str:
    """Return how an image is called."""
    return f'{report.part}/{report.stem}'


def _category_table(rows: np.ndarray) -> list[str]:
    """Return a row for each category."""
    lines = [f'{"":<18}{"boxes":>9}{"small":>9}{"medium":>9}{"large":>9}']
    for name, counts in count_categories(rows).items():
        lines.append(f'{name:<18}' + ''.join(f'{count:>9}' for count in counts.values()))
    return lines
