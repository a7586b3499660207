"""`pointkd config show CONFIG`: what a config comes to."""

from __future__ import annotations

import argparse

from pointkd.cli._config_options import add_config_arguments, read_config

HELP = 'show a config with its bases merged and the changes made'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    show = actions.add_parser('show', help='print the resolved config as a Python file')
    add_config_arguments(show)


def run(args: argparse.Namespace) -> None:
    """Print the resolved config."""
    print(read_config(args).pretty_text, end='')
