"""Arguments that every verb with a config shares, and reading that config."""

from __future__ import annotations

import argparse
import logging
from typing import Any


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare CONFIG and what may be changed about it."""
    parser.add_argument('config', metavar='CONFIG', help='config file, or package::file (mmdet3d::pointpillars/….py)')
    parser.add_argument('--data-root', metavar='DIR', help="folder that takes the place of the config's data root")
    parser.add_argument(
        '--no-pretrained',
        dest='pretrained',
        action='store_false',
        help='drop all weights that would be fetched from the network',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change keys of the config (dotted, numbers for list elements); +KEY=VALUE adds a new one',
    )


def read_config(args: argparse.Namespace) -> Any:
    """Return the config that the arguments ask for; warnings of our modules go to the console."""
    from pointkd.io.config import load_config

    logging.basicConfig(format='%(message)s', level=logging.WARNING)
    return load_config(args.config, data_root=args.data_root, pretrained=args.pretrained, options=args.cfg_options)
