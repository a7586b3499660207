"""The same work on many frames, in processes that stop cleanly."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pointkd.core.errors import PointKDError

Item = TypeVar('Item')
Result = TypeVar('Result')
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def map_frames(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Yield the function's result for each item, in order.

    With one job (or one item) the work is done here; else in processes of a fresh interpreter. An error, Ctrl-C or an
    abandoned loop drops what has not begun; what has begun is finished, so no file is left half written.

    Args:
        function: something that can be pickled: a function of a module, or `functools.partial` of one.
        items: one call each.
        jobs: number of processes.

    Raises:
        PointKDError: a process was killed.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context('spawn'), initializer=_obey_parent)
    try:
        with _interrupts_held():  # while the processes begin: none of them may end with a traceback
            results = pool.map(function, items)
        yield from results
    except BrokenProcessPool as error:
        reason = 'a process was killed, perhaps for want of memory'
        raise PointKDError(f'{reason}: run again with fewer --jobs; what is finished is kept') from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block; a process that begins in it inherits that it waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obey_parent() -> None:
    """Leave Ctrl-C to the process that waits, and end when that is killed (Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
