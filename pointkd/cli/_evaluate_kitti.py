"""`pointkd evaluate kitti`: official KITTI object AP of folders of result files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json

if TYPE_CHECKING:
    from pointkd.evaluation.kitti import Report

HELP = "KITTI object detection: AP in 2D, bird's eye view and 3D, and orientation (AOS)"

_TITLES = {'bbox': '2D', 'bev': 'BEV', '3d': '3D', 'aos': 'AOS'}
_COLUMNS = ('AP40', 'AP11')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--labels', required=True, metavar='DIR', help='label files ID.txt, 15 columns a row')
    parser.add_argument('--results', required=True, metavar='DIR', help='result files ID.txt, 16 columns a row')
    parser.add_argument('--out', metavar='JSON', help='write all numbers to this file')
    parser.add_argument('--frames', metavar='LIST', help='evaluate these frames only, one ID a line')
    parser.add_argument(
        '--only-with-results',
        action='store_true',
        help='leave out frames without a result file (by default all their objects count as missed)',
    )
    parser.add_argument(
        '--overlap',
        action='append',
        default=[],
        metavar='CLASS[:METRIC]=VALUE',
        help='besides the official numbers, those for another overlap: Car=0.5, or Car:3d=0.5 (may be repeated)',
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the JSON file."""
    from pointkd.evaluation.kitti import evaluate_folders, read_frame_list

    min_overlaps = parse_overlaps(args.overlap)
    frames = read_frame_list(args.frames) if args.frames else None
    report = evaluate_folders(args.labels, args.results, frames, args.only_with_results)
    print(describe(report, args.only_with_results))
    print('\nOfficial: ' + overlap_sentence(report) + '\n' + table(report))
    if min_overlaps:
        other = evaluate_folders(args.labels, args.results, frames, args.only_with_results, min_overlaps)
        print('\nNot official: ' + overlap_sentence(other) + '\n' + table(other))
        report['not_official'] = {name: other[name] for name in (*other['min_overlaps'], 'mAP', 'min_overlaps')}
    if args.out:
        write_json(args.out, report)
        print(f'\nwritten: {args.out}')
    return 0


def parse_overlaps(entries: list[str]) -> dict[str, dict[str, float]]:
    """Read `CLASS=VALUE` and `CLASS:METRIC=VALUE`.

    Raises:
        ConfigError: an entry has another form.
    """
    from pointkd.evaluation.kitti import METRICS

    overlaps: dict[str, dict[str, float]] = {}
    for entry in entries:
        key, _, value = entry.partition('=')
        name, _, metric = key.partition(':')
        try:
            number = float(value)
        except ValueError:
            raise ConfigError(f'--overlap {entry}: expected CLASS=VALUE, for example Car=0.5 or Car:3d=0.5') from None
        overlaps.setdefault(name, {}).update(dict.fromkeys([metric] if metric else METRICS, number))
    return overlaps


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
    if report['extra_files']:
        lines.append(f'  {report["extra_files"]} result files belong to no label file: not read')
    for kind, count in report['dropped_rows'].items():
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
            parts.append(
                f'{name} ' + ', '.join(f'{_TITLES[metric]} {value:.2f}' for metric, value in by_metric.items())
            )
    return 'a match must overlap by more than ' + '; '.join(parts) + ' (intersection over union)'


def table(report: Report) -> str:
    """Return the numbers, percent, a row for each class and metric; moderate, by which KITTI ranks, in brackets."""
    head = f'{"easy":>8}{"[moderate]":>12}{"hard":>8}'
    lines = [
        f'{"":<18}' + ''.join(f'{name + ", %":^28}  ' for name in _COLUMNS).rstrip(),
        f'{"":<18}' + '  '.join(head for _ in _COLUMNS),
    ]
    for name in (*report['min_overlaps'], 'mAP'):
        for metric, title in _TITLES.items():
            cells = '  '.join(_cells(report[name][metric][column]) for column in _COLUMNS)
            lines.append(f'{name:<12}{title:<6}{cells}')
    if any(
        report[name]['bbox']['AP40'][0] is None or report[name]['aos']['AP40'][0] is None for name in _classes(report)
    ):
        lines.append('-: not evaluated, as no detection of the class has usable values for it; 0 in the mean')
    return '\n'.join(lines)


def _classes(report: Report) -> list[str]:
    """Return the evaluated classes."""
    return list(report['min_overlaps'])


def _cells(values: list[float | None]) -> str:
    """Return the values of the three difficulties in columns."""
    easy, moderate, hard = ('-' if value is None else f'{value:.2f}' for value in values)
    return f'{easy:>8}{"[" + moderate + "]":>12}{hard:>8}'
