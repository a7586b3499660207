"""`pointkd prune CONFIG CHECKPOINT`: a trained network with fewer channels, and a report of what went."""

from __future__ import annotations

import argparse
import logging

from pointkd.cli._config_options import add_config_arguments, read_config

HELP = 'cut channels out of a trained network, to a ratio, a size or a latency'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write')
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--ratio', type=float, metavar='R', help='share of channels to cut, 0 to 1')
    target.add_argument('--target-params', type=number, metavar='P', help='parameters at most (6.8M)')
    target.add_argument(
        '--target-macs', type=number, metavar='M', help='multiply-adds at most, at the input size (12G)'
    )
    target.add_argument('--target-latency', type=float, metavar='MS', help='milliseconds in ONNX Runtime here, ± 10 %%')
    parser.add_argument('--importance', default='bn', help='bn (default), l1, l2, taylor or random')
    parser.add_argument('--scope', default='layer', help='layer (default): each alike; global: the least of all')
    parser.add_argument('--multiple', type=int, default=8, metavar='N', help='widths are a multiple of it (default 8)')
    parser.add_argument('--keep', nargs='+', default=[], metavar='MODULE', help='modules that keep their outputs')
    parser.add_argument('--fold', action='store_true', help='constants of dead channels go into the layers behind')
    parser.add_argument('--seed', type=int, default=0, help='of the random control (default 0)')
    parser.add_argument('--input-size', type=int, nargs=2, metavar=('H', 'W'), help="default: the test pipeline's")
    parser.add_argument('--runs', type=int, default=20, metavar='N', help='timed runs; 0 measures no latency')
    parser.add_argument('--threads', type=int, default=1, metavar='N', help='of ONNX Runtime (default 1)')
    parser.add_argument('--batches', type=int, default=8, metavar='N', help='of training data, for taylor (default 8)')


def run(args: argparse.Namespace) -> None:
    """Prune, write the report and print the sums."""
    import pointkd.engine  # noqa: F401  (makes the installed packages ready)
    from pointkd.compress.pruning import PruneSettings
    from pointkd.compress.run import Measuring, Target, prune_config
    from pointkd.io.images import input_size
    from pointkd.report.compression.page import write_report

    config = read_config(args)
    logging.getLogger('pointkd').setLevel(logging.INFO)
    settings = PruneSettings(args.importance, args.scope, args.multiple, tuple(args.keep), args.fold, args.seed)
    target = Target(args.ratio, args.target_params, args.target_macs, args.target_latency)
    size = tuple(args.input_size) if args.input_size else input_size(config)
    measuring = Measuring(size, args.runs, args.threads, args.batches)
    record = prune_config(config, args.checkpoint, args.out, target=target, settings=settings, measuring=measuring)
    write_report(args.out)
    for name in ('params', 'macs'):
        before, after = record[name]
        print(f'{name}: {before:,} -> {after:,} ({after / before - 1:+.1%})')
    if record['latency']:
        before, after = (record['latency'][net]['median_ms'] for net in ('dense', 'pruned'))
        print(f'latency: {before:.2f} -> {after:.2f} ms ({after / before:.2f}x)')
    print(f'{args.out}: pruned.py, pruned.pth, plan.json, report.html')


def number(text: str) -> float:
    """Return a count that may end with K, M or G.

    Example:
        >>> number('6.8M'), number('1e9')
        (6800000.0, 1000000000.0)
    """
    factor = {'K': 1e3, 'M': 1e6, 'G': 1e9}.get(text[-1:].upper(), 1.0)
    return float(text[:-1] if factor > 1 else text) * factor
