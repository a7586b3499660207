"""`pointkd complexity`: parameters and multiply-adds of a config's network."""

from __future__ import annotations

import argparse
import json
from typing import Any

HELP = 'count parameters and multiply-adds of the network of a config'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--points', metavar='DIR', help='LiDAR nets: count on the *.bin clouds there; default: made up')
    parser.add_argument('--clouds', type=int, default=20, help='with --points: at most so many (default 20)')
    parser.add_argument(
        '--image-size', type=int, nargs=2, metavar=('H', 'W'), help="image nets: default the test pipeline's"
    )
    parser.add_argument('--json', action='store_true', help='print JSON in place of a table')


def run(args: argparse.Namespace) -> None:
    """Count and print."""
    import pointkd.engine  # noqa: F401  (prepares the packages)
    from pointkd.engine.complexity import measure_complexity
    from pointkd.export.clouds import read_clouds
    from pointkd.export.describe import point_columns
    from pointkd.io.config import load_config

    config = load_config(args.config, pretrained=False)
    clouds = None
    if args.points:
        load, use = point_columns(config)
        clouds = [points[:, use] for points in read_clouds(args.points, load, args.clouds)]
    size = tuple(args.image_size) if args.image_size else None
    result = measure_complexity(config, clouds=clouds, image_size=size).to_json()
    print(json.dumps(result, indent=1) if args.json else table(result))


def table(result: dict[str, Any]) -> str:
    """Return the counts as text."""
    inputs = result['inputs']
    lines = [f'{"":<18}{"parameters":>14}{"multiply-adds":>18}']
    for part, counts in result['parts'].items():
        lines.append(f'{part:<18}{counts["params"]:>14,}{counts["macs"]:>18,}')
    lines.append(f'{"total":<18}{result["params"]:>14,}{result["macs"]:>18,}')
    lines.append(f'of these 2-D convolutions {result["macs_conv2d"]:,}, sparse convolutions {result["macs_sparse"]:,}')
    spread = f', from {inputs["macs_min"]:,} to {inputs["macs_max"]:,}' if inputs['count'] > 1 else ''
    lines.append(f'counted on {inputs["source"]}{spread}')
    return '\n'.join(lines)
