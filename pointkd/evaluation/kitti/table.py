"""A report as text: what was evaluated, by which overlaps, and the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pointkd.evaluation.kitti.rules import CLASSES
from pointkd.evaluation.kitti.scoring import Report

TITLES = {'bbox': '2D', 'bev': 'BEV', '3d': '3D', 'aos': 'AOS'}
_COLUMNS = ('AP40', 'AP11')


def describe(report: Report, only_with_results: bool = False) -> str:
    """Return what was evaluated, and what a reader must know before trusting the numbers."""
    lines = [f'KITTI object evaluation of {report["frames"]} frames']
    for kind in ('objects', 'detections'):
        lines.append(f'  {kind}: ' + ', '.join(f'{count} {name}' for name, count in report[kind].items()))
    missing = report['missing_files']
    if missing and only_with_results:
        lines.append(f'  {missing} result files are missing: these frames are left out')
    elif missing:
        lines.append(f'  {missing} result files are missing: all objects of these frames count as missed')
    else:
        lines.append('  no result file is missing')
    if report.get('extra_files'):
        lines.append(f'  {report["extra_files"]} result files belong to no label file: not read')
    for kind, count in report.get('dropped_rows', {}).items():
        if count:
            lines.append(f'  {count} rows of {kind} have too few columns: dropped, as the official program does')
    if report['undefined_precisions']:
        lines.append(f'  precision is 0/0 at {report["undefined_precisions"]} thresholds: taken as 0')
    return '\n'.join(lines)


def overlap_sentence(report: Report) -> str:
    """Return the overlap thresholds in words."""
    parts = []
    for name, by_metric in report['min_overlaps'].items():
        values = set(by_metric.values())
        if len(values) == 1:
            parts.append(f'{name} {values.pop():.2f}')
        else:
            parts.append(f'{name} ' + ', '.join(f'{TITLES[metric]} {value:.2f}' for metric, value in by_metric.items()))
    return 'a match must overlap by more than ' + '; '.join(parts) + ' (intersection over union)'


def table(report: Report, metrics: Sequence[str] = tuple(TITLES)) -> str:
    """Return the numbers, percent, a row for each class and metric; moderate, by which KITTI ranks, in brackets."""
    head = f'{"easy":>8}{"[moderate]":>12}{"hard":>8}'
    lines = [
        f'{"":<18}' + '  '.join(f'{name + ", %":^28}' for name in _COLUMNS).rstrip(),
        f'{"":<18}' + '  '.join(head for _ in _COLUMNS),
    ]
    for name in (*CLASSES, 'mAP'):
        for metric in metrics:
            cells = '  '.join(_cells(report[name][metric][column]) for column in _COLUMNS)
            lines.append(f'{name:<12}{TITLES[metric]:<6}{cells}')
    if any(None in report[name][metric]['AP40'] for name in CLASSES for metric in metrics):
        lines.append('-: not evaluated, as no detection of the class has usable values for it; 0 in the mean')
    return '\n'.join(lines)


def _cells(values: list[float | None]) -> str:
    """Return the values of the three difficulties in columns."""
    easy, moderate, hard = ('-' if value is None else f'{value:.2f}' for value in values)
    return f'{easy:>8}{"[" + moderate + "]":>12}{hard:>8}'
