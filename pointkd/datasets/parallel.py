"""The same work on many frames, in processes that stop cleanly."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pointkd.core.errors import PointKDError

Item = TypeVar('Item')
Result = TypeVar('Result')


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
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context('spawn'), initializer=_ignore_interrupts)
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        reason = 'a process was killed, perhaps for want of memory'
        raise PointKDError(f'{reason}: run again with fewer --jobs; what is finished is kept') from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
