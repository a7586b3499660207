"""`pointkd evaluate kitti`: official KITTI object AP of folders of result files."""

from __future__ import annotations

import argparse

from pointkd.core.errors import ConfigError
from pointkd.core.files import write_json

HELP = "KITTI object detection: AP in 2D, bird's eye view and 3D, and orientation (AOS)"


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
    parser.add_argument(
        '--as',
        dest='stand_for',
        action='append',
        default=[],
        metavar='OWN=CLASS',
        help='evaluate a class of your own by the rules of Car, Pedestrian or Cyclist: Forklift=Car (may be repeated)',
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the JSON file."""
    from pointkd.evaluation.kitti import evaluate_folders, read_frame_list
    from pointkd.evaluation.kitti.table import describe, overlap_sentence, table

    min_overlaps = parse_overlaps(args.overlap)
    stand_for = parse_names(args.stand_for)
    frames = read_frame_list(args.frames) if args.frames else None
    report = evaluate_folders(args.labels, args.results, frames, args.only_with_results, None, stand_for)
    print(describe(report, args.only_with_results))
    print('\nOfficial: ' + overlap_sentence(report) + '\n' + table(report))
    if min_overlaps:
        other = evaluate_folders(args.labels, args.results, frames, args.only_with_results, min_overlaps, stand_for)
        print('\nNot official: ' + overlap_sentence(other) + '\n' + table(other))
        report['not_official'] = {name: other[name] for name in (*other['min_overlaps'], 'mAP', 'min_overlaps')}
    if args.out:
        write_json(args.out, report)
        print(f'\nwritten: {args.out}')
    return 0


def parse_names(entries: list[str]) -> dict[str, str]:
    """Read `OWN=CLASS`.

    Raises:
        ConfigError: an entry has another form.
    """
    names = {}
    for entry in entries:
        own, _, official = entry.partition('=')
        if not own or not official:
            raise ConfigError(f'--as {entry}: expected OWN=CLASS, for example Forklift=Car')
        names[own] = official
    return names


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
