"""`pointkd VERB ...`: finds the verb's module, parses its arguments, runs it.

A verb is a module of this package with `HELP` (one line), `add_arguments(parser)` and `run(args) -> int | None`. It
imports what is heavy inside `run`, so that `pointkd evaluate` starts without torch. A new verb is a new file; a verb
that is a word of Python has its module with an underscore behind (`import_`).
"""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

import pointkd
import pointkd.cli
from pointkd.core.errors import PointKDError, nearest

NOT_VERBS = {'main'}

# OpenMP threads that spin while they wait make a training 4 to 20 times slower as soon as one other process is busy.
# It must be set before torch is loaded; your own setting stays.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')


def verbs() -> list[str]:
    """Return the names of the verbs, as typed (`create-data`)."""
    names = (module.name for module in pkgutil.iter_modules(pointkd.cli.__path__))
    return sorted(
        name.removesuffix('_').replace('_', '-') for name in names if name not in NOT_VERBS and not name.startswith('_')
    )


def verb_module(verb: str) -> ModuleType:
    """Import the module of a verb."""
    name = verb.replace('-', '_')
    return importlib.import_module(f'pointkd.cli.{name}_' if keyword.iskeyword(name) else f'pointkd.cli.{name}')


def overview() -> str:
    """Return the text of `pointkd --help`."""
    lines = [f'pointkd {pointkd.__version__}', '', 'usage: pointkd VERB [arguments]   (pointkd VERB --help)', '']
    lines += [f'  {verb:<14}{verb_module(verb).HELP}' for verb in verbs()]
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: arguments after the program's name; default `sys.argv[1:]`.

    Returns:
        Exit code: 0 done, 1 the verb found a failure, 2 wrong use or one of our errors, 130 Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ('-h', '--help', 'help'):
        print(overview())
        return 0
    if arguments[0] in ('-V', '--version'):
        print(pointkd.__version__)
        return 0
    verb = arguments[0].replace('_', '-')
    if verb not in verbs():
        print(f'pointkd: no verb {verb!r}: {nearest(verb, verbs())}', file=sys.stderr)
        return 2
    module = verb_module(verb)
    parser = argparse.ArgumentParser(prog=f'pointkd {verb}', description=module.HELP)
    module.add_arguments(parser)
    args = parser.parse_args(arguments[1:])
    try:
        return int(module.run(args) or 0)
    except PointKDError as error:
        print(f'pointkd {verb}: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f'pointkd {verb}: interrupted', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
