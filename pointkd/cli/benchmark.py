"""`pointkd benchmark`: times of exported nets in PyTorch, ONNX Runtime and OpenVINO, stage by stage."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

HELP = 'time exported nets in PyTorch, ONNX Runtime and OpenVINO, in turns and stage by stage'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('exports', nargs='+', metavar='EXPORT', help='folder written by `pointkd export`')
    parser.add_argument(
        '--points', metavar='DIR', help='folder with *.bin clouds (or a KITTI root), or with images; default: made up'
    )
    parser.add_argument('--runs', type=int, default=30, help='timed runs of each (default 30)')
    parser.add_argument('--threads', type=int, default=None, help='threads of each (default: the cores)')
    parser.add_argument('--checkpoint', help='weights for PyTorch (default: the file that the export was made from)')
    parser.add_argument('--json', metavar='FILE', help='write all numbers there')


def run(args: argparse.Namespace) -> None:
    """Time and print a table."""
    from pointkd.core.errors import ConfigError
    from pointkd.core.files import write_json
    from pointkd.export.latency import BUSY, benchmark

    if args.runs < 1:
        raise ConfigError(f'--runs {args.runs}: at least 1')
    if os.getloadavg()[0] > BUSY:
        print(
            f'warning: the machine is busy (load average {os.getloadavg()[0]:.2f}); times will be long', file=sys.stderr
        )
    results = benchmark(
        args.exports, points=args.points, runs=args.runs, threads=args.threads, checkpoint=args.checkpoint
    )
    print(table(results))
    if args.json:
        write_json(args.json, results)


def table(results: dict[str, Any]) -> str:
    """Return the results as text: median (90th percentile) in milliseconds."""
    machine = results['machine']
    if 'images' in results:
        size = ' x '.join(str(side) for side in results['images']['size'])
        inputs, first = f'{results["images"]["count"]} images of {size}', 'prepare'
    else:
        inputs = f'{results["clouds"]["count"]} clouds of {results["clouds"]["points_median"]} points (median)'
        first = 'voxelise'
    lines = [
        f'{machine["processor"]}, {machine["threads"]} threads, {results["runs"]} runs, {inputs}',
        'milliseconds, median (90th percentile)',
    ]
    for export in results['exports']:
        lines.append(f'\n{export["export"]}  ({export["params"]:,} parameters)')
        lines.append(f'  {"":<18}{"total":>17}{first:>17}{"network":>17}{"decode":>17}')
        for name, stages in export['timings'].items():
            cells = [
                f'{stages[stage]["median_ms"]:.1f} ({stages[stage]["p90_ms"]:.1f})'
                for stage in ('total', 'voxelize', 'network', 'decode')
            ]
            lines.append(f'  {name:<18}' + ''.join(f'{cell:>17}' for cell in cells))
        lines += [f'  {name:<18} left out: {reason}' for name, reason in export['left_out'].items()]
    return '\n'.join(lines)
