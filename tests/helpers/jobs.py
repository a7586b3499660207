"""Work for processes of a fresh interpreter: they must find it by name."""

from __future__ import annotations

import os
import signal

from pointkd.core.errors import DataError


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
