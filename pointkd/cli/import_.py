"""`pointkd import NAME FILE`: weights of other projects' files as a checkpoint of ours."""

from __future__ import annotations

import argparse

from pointkd.cli import _subcommands

HELP = "turn the weights of another project's file into a checkpoint; no code of the file is run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the nets whose files can be read."""
    _subcommands.add(parser, '_import_', 'NET')


def run(args: argparse.Namespace) -> int | None:
    """Import from one kind of file."""
    return _subcommands.run(args)
