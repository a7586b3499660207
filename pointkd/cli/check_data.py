"""`pointkd check-data NAME ROOT`: name every broken file of a data set before hours are lost on it."""

from __future__ import annotations

import argparse

from pointkd.cli import _subcommands

HELP = 'name every broken file of a data set'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a data set."""
    _subcommands.add(parser, '_check_', 'NAME')


def run(args: argparse.Namespace) -> int | None:
    """Check the data set asked for."""
    return _subcommands.run(args)
