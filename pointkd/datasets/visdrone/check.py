"""Checks a whole data set in VisDrone layout, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pointkd.datasets.parallel import map_frames
from pointkd.datasets.visdrone.check_image import ImageReport, check_image
from pointkd.datasets.visdrone.check_report import CheckReport
from pointkd.datasets.visdrone.folder import Part, find_parts


def check_root(
    root: str | Path,
    *,
    parts: Sequence[str] = (),
    lists: Mapping[str, str | Path] | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckReport:
    """Check every image of a data set and its label file.

    Args:
        root, parts, lists: see `find_parts`.
        jobs: number of processes.
        progress: called with the number of images done and to do.

    Returns:
        The report.

    Raises:
        DataError, ConfigError: see `find_parts`.
    """
    return CheckReport(Path(root), check_parts(find_parts(root, parts, lists), jobs, progress))


def check_parts(parts: Sequence[Part], jobs: int, progress: Callable[[int, int], None]) -> list[ImageReport]:
    """Return one report an image, in the order of the parts; an image of two parts is broken in the later one."""
    tasks = [part.task(stem) for part in parts for stem in part.stems]
    reports: list[ImageReport] = []
    progress(0, len(tasks))
    seen: dict[str, str] = {}
    for report in map_frames(check_image, tasks, jobs):
        other = seen.setdefault(report.stem, report.part)
        if other != report.part:
            report.add('in two parts', f'{report.stem} is in both {other} and {report.part}')
        reports.append(report)
        progress(len(reports), len(tasks))
    return reports
