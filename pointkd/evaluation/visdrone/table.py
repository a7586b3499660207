"""A report as text: what was evaluated, and the numbers."""

from __future__ import annotations

from pointkd.evaluation.visdrone.rules import METRICS
from pointkd.evaluation.visdrone.scoring import Report


def describe(report: Report) -> str:
    """Return what was evaluated, and what a reader must know before trusting the numbers."""
    labels = sum(row['labels'] for row in report['classes'].values())
    detections = sum(row['detections'] for row in report['classes'].values())
    lines = [
        f'VisDrone-DET evaluation of {report["evaluated_images"]} images: {labels} labels, {detections} detections'
    ]
    dropped = report['dropped_rows']
    if any(dropped.values()):
        lines.append(f'  in ignored regions, left out: {dropped["labels"]} labels, {dropped["results"]} detections')
    missing = report['missing_files']
    if missing:
        lines.append(f'  {missing} result files are missing: all objects of these images count as missed')
    if report.get('extra_files'):
        lines.append(f'  {report["extra_files"]} result files belong to no label file: not read')
    for kind, count in report['unknown_categories'].items():
        if count:
            lines.append(f'  {count} rows of {kind} have a category other than 0 to 11: never evaluated')
    return '\n'.join(lines)


def table(report: Report) -> str:
    """Return the numbers, percent: the benchmark's, those of each class, and those by size of object."""
    lines = [_head('', 'labels'), _line('official', report, '')]
    lines += [_line(name, row, row['labels']) for name, row in report['classes'].items()]
    lines += ['', _head('by size (not official)', 'labels')]
    lines += [_line(name, row, row['labels']) for name, row in report['sizes'].items()]
    lines.append('official: mean over classes, each weighted by the number of images in which it has a label')
    if any(row['AP'] is None for row in [*report['classes'].values(), *report['sizes'].values()]):
        lines.append('-: undefined, as there is no label')
    return '\n'.join(lines)


def _head(title: str, last: str) -> str:
    """Return a row of column titles."""
    return f'{title:<24}' + ''.join(f'{name:>8}' for name in METRICS) + f'{last:>9}'


def _line(name: str, row: Report, labels: int | str) -> str:
    """Return a row of numbers."""
    cells = ('-' if row[metric] is None else f'{row[metric]:.2f}' for metric in METRICS)
    return f'{name:<24}' + ''.join(f'{cell:>8}' for cell in cells) + f'{labels:>9}'
