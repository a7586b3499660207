"""Runs `pointkd` commands as processes of their own, which never outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pointkd.core.errors import TrainingError
from pointkd.report.results.places import CHECKOUT

_PR_SET_PDEATHSIG = 1  # Linux: signal that a process gets when its parent dies
_LIBC = ctypes.CDLL(None)


def run_verb(words: Sequence[str], *, home: Path, threads: int, output: Path) -> str:
    """Run a verb, with its output at the end of a file.

    Args:
        words: verb and arguments.
        home: working directory.
        threads: of torch.
        output: file that gets what the command prints.

    Returns:
        What it printed on stdout and stderr.

    Raises:
        TrainingError: it failed; the last line that it printed is in the message.
        KeyboardInterrupt: it was interrupted.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, 'a', encoding='utf-8') as file:
        file.write(f'\n$ pointkd {" ".join(words)}\n')
        file.flush()
        begin = file.tell()
        command = [sys.executable, '-m', 'pointkd.cli.main', *words]
        code = subprocess.run(
            command, cwd=home, env=environment(threads), stdout=file, stderr=file, preexec_fn=die_with_parent
        ).returncode
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    with open(output, encoding='utf-8', errors='replace') as file:
        file.seek(begin)
        printed = file.read()
    if code:
        last = next((line for line in reversed(printed.splitlines()) if line.strip()), 'it printed nothing')
        raise TrainingError(f'`pointkd {words[0]}` ended with code {code}: {last.strip()} (all of it: {output})')
    return printed


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a run: on the CPU, with so many threads, which sleep while they wait."""
    paths = [str(CHECKOUT), *filter(None, [os.environ.get('PYTHONPATH')])]
    return {
        **os.environ,
        'OMP_NUM_THREADS': str(threads),
        'MKL_NUM_THREADS': str(threads),
        'OMP_WAIT_POLICY': 'PASSIVE',
        'CUDA_VISIBLE_DEVICES': '',  # a GPU would compute otherwise than the suite says
        'PYTHONPATH': os.pathsep.join(paths),
    }


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent is gone, so that no orphan writes to a work folder."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
