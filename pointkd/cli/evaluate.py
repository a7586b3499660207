"""`pointkd evaluate BENCHMARK`: the official metric of a benchmark on plain result folders.

A benchmark is a module `_evaluate_<name>.py` of this package with `HELP` (one line), `add_arguments(parser)` and
`run(args) -> int | None`, as a verb; a new one is a new file.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil

import pointkd.cli

HELP = 'evaluate result files with the official metric of a benchmark'
PREFIX = '_evaluate_'


def benchmarks() -> list[str]:
    """Return the names of the benchmarks."""
    names = (module.name for module in pkgutil.iter_modules(pointkd.cli.__path__))
    return sorted(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a benchmark."""
    commands = parser.add_subparsers(dest='benchmark', metavar='BENCHMARK', required=True)
    for name in benchmarks():
        module = importlib.import_module(f'pointkd.cli.{PREFIX}{name}')
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run_benchmark=module.run)


def run(args: argparse.Namespace) -> int | None:
    """Evaluate on the benchmark asked for."""
    result: int | None = args.run_benchmark(args)
    return result
