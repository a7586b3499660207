"""What the scripts of this folder share: run a `pointkd` verb from a checkout, installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def run(verb: str) -> None:
    """Run a verb with this script's arguments and leave with its exit code."""
    from pointkd.cli.main import main

    sys.exit(main([verb, *sys.argv[1:]]))
