"""A report as text."""

from __future__ import annotations

from pointkd.evaluation.boundary.report import shown, trimap_sentence
from pointkd.evaluation.cityscapes.rules import CLASSES
from pointkd.evaluation.cityscapes.scoring import Report


def describe(report: Report) -> str:
    """Return what was evaluated, and what a reader must know before trusting the numbers."""
    lines = [f'Cityscapes evaluation of {report["images"]} images']
    if report['extra_files']:
        lines.append(f'  {report["extra_files"]} PNG files of the results belong to no label: not read')
    if report['mIoU'] is None:
        lines.append('  no pixel has an evaluated label: every number is undefined')
    elif report['iIoU'] is None:
        lines.append('  no instances (files ..._gtFine_instanceIds.png beside the labels): no iIoU')
    missing = [name for name, value in report['IoU'].items() if value is None]
    if missing and report['mIoU'] is not None:
        lines.append(f'  neither labelled nor predicted, left out of means: {", ".join(missing)}')
    return '\n'.join(lines)


def table(report: Report) -> str:
    """Return the numbers, percent: a row for each class and category, then the means."""
    columns = [report['IoU'], report['iIoU_classes'], *report.get('boundary_classes', {}).values()]
    titles = ['IoU', 'iIoU', 'F', 'bIoU'][: len(columns)]
    lines = [f'{"class":<16}' + ''.join(f'{title:>8}' for title in titles)]
    lines += [f'{name:<16}' + ''.join(_cell(column.get(name)) for column in columns) for name in CLASSES]
    means = [report['mIoU'], report['iIoU'], *list(report.get('boundary', {}).values())[1:]]
    lines += [f'{"mean":<16}' + ''.join(map(_cell, means)), '', f'{"category":<16}{"IoU":>8}{"iIoU":>8}']
    lines += [f'{name:<16}' + _cell(value) for name, value in report['IoU_categories'].items()]
    lines += [f'{"mean":<16}' + _cell(report['mIoU_categories']) + _cell(report['iIoU_categories']), '']
    lines.append(f'mAcc {shown(report["mAcc"])}, aAcc {shown(report["aAcc"])}')
    if 'boundary' in report:
        lines.append(trimap_sentence(report))
        lines.append('F: borders within 3 px; bIoU: Boundary IoU, inner bands of 0.5 % of the diagonal')
    return '\n'.join(lines)


def _cell(value: float | None) -> str:
    """Return a number in 8 columns."""
    return f'{shown(value):>8}'
