"""`pointkd doctor`: is everything here, and does it compute what it should?"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointkd.io.doctor import Finding

HELP = 'check the installation: platform, packages, processor, and a self-test'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--json', action='store_true', help='print one JSON object in place of lines')
    parser.add_argument(
        '--runtime', action='store_true', help='check only what running exported models needs (no training stack)'
    )


def run(args: argparse.Namespace) -> int:
    """Print every finding as soon as it is known; 1 when one of them is a failure."""
    findings = []
    for finding in look(runtime_only=args.runtime):
        findings.append(finding)
        if not args.json:
            print(line(finding), flush=True)
    failures = [finding.name for finding in findings if finding.status == 'fail']
    if args.json:
        print(json.dumps({'ok': not failures, 'findings': [dataclasses.asdict(entry) for entry in findings]}, indent=1))
    else:
        print(f'{len(failures)} failed: {", ".join(failures)}' if failures else 'all is well')
    return 1 if failures else 0


def look(*, runtime_only: bool) -> Iterator[Finding]:
    """Yield the findings, the cheap ones first; the self-test comes last, when all that it needs is there."""
    from pointkd.io import doctor

    basics = []
    for finding in (*doctor.machine(), *doctor.packages(runtime_only=runtime_only)):
        basics.append(finding)
        yield finding
    if runtime_only:
        return
    if any(finding.status == 'fail' for finding in basics):
        yield doctor.Finding('self-test', 'warn', 'left out', 'repair the failures above, then run it again')
        return
    yield doctor.opencv()
    yield from self_test()


def self_test() -> Iterator[Finding]:
    """Yield the findings of the self-test, or why it can not start."""
    from pointkd.io.doctor import Finding

    try:
        from pointkd.engine import doctor
    except Exception as error:  # a broken package may raise anything at import; the report must go on
        yield Finding('self-test', 'fail', f'{type(error).__name__}: {error}', 'run `make install` in a fresh checkout')
        return
    yield from doctor.self_test()


def line(finding: Finding) -> str:
    """Return a finding as one line of text."""
    advice = f'  ({finding.advice})' if finding.advice else ''
    return f'{finding.status:<5} {finding.name:<17} {finding.found}{advice}'
