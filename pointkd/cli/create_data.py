"""`pointkd create-data NAME ...`: make what training needs from a data set, or a synthetic data set."""

from __future__ import annotations

import argparse

from pointkd.cli import _subcommands

HELP = 'make what training needs from a data set, or a synthetic one'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a data set."""
    _subcommands.add(parser, '_create_', 'NAME')


def run(args: argparse.Namespace) -> int | None:
    """Make the data asked for."""
    return _subcommands.run(args)
