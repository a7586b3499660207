"""Verbs with one sub-command a data set: each is a module `_<verb>_<name>.py` of this package, found by its name.

Such a module has `HELP` (one line), `add_arguments(parser)` and `run(args) -> int | None`, as a verb has.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil

import pointkd.cli


def names(prefix: str) -> list[str]:
    """Return the sub-commands as typed: `_create_synthetic_kitti` is `synthetic-kitti`."""
    modules = (module.name for module in pkgutil.iter_modules(pointkd.cli.__path__))
    return sorted(name.removeprefix(prefix).replace('_', '-') for name in modules if name.startswith(prefix))


def add(parser: argparse.ArgumentParser, prefix: str, what: str) -> None:
    """Declare the sub-commands of a prefix; `run(args)` then runs the one that was typed."""
    commands = parser.add_subparsers(dest='command', metavar=what, required=True)
    for name in names(prefix):
        module = importlib.import_module(f'pointkd.cli.{prefix}{name.replace("-", "_")}')
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run_command=module.run)


def run(args: argparse.Namespace) -> int | None:
    """Run the sub-command that was typed."""
    result: int | None = args.run_command(args)
    return result


def default_jobs() -> int:
    """Return how many processes are worth starting: one for each processor this process may use."""
    import os

    return len(os.sched_getaffinity(0))
