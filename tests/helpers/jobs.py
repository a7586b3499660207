"""Work for processes of a fresh interpreter: they must find it by name."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from pointkd.core.errors import DataError
from pointkd.datasets.parallel import map_frames


def square(number: int) -> int:
    """Return the square."""
    return number * number


def process(number: int) -> int:
    """Return the number of the process."""
    return os.getpid()


def fail_at_three(number: int) -> int:
    """Fail at the number 3."""
    if number == 3:
        raise DataError('frame 3 is broken')
    return number


def die_at_three(number: int) -> int:
    """Kill the process at the number 3."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_beside(folder: str) -> None:
    """Start two processes that leave their number in a folder and wait."""
    for _ in map_frames(partial(leave_number, folder), range(2), 2):
        pass


def leave_number(folder: str, number: int) -> None:
    """Leave the number of the process in a folder and wait."""
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
