"""A line that counts up on the terminal, with the time left."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Shows `what: 120 of 300, 25 s left`, rewritten in place on a terminal, now and then elsewhere.

    An object of this class is called with the number done and the total, by whoever does the work.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self.what = what
        self.stream = sys.stderr if stream is None else stream
        self.started = time.monotonic()
        self.shown = float('-inf')
        self.pause = 0.2 if self.stream.isatty() else 10.0

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is; the last call of all ends the line."""
        now = time.monotonic()
        finished = done >= total
        if total == 0 or (now - self.shown < self.pause and not finished):
            return
        self.shown = now
        line = f'{self.what}: {done} of {total}'
        if finished:
            line += f', {_spoken(now - self.started)}'
        elif done:
            line += f', {_spoken((now - self.started) / done * (total - done))} left'
        if self.stream.isatty():
            self.stream.write(f'\r\033[K{line}' + ('\n' if finished else ''))
        else:
            self.stream.write(line + '\n')
        self.stream.flush()


def _spoken(seconds: float) -> str:
    """Return a duration as `45 s` or `3 min 20 s`.

    Example:
        >>> _spoken(200.4)
        '3 min 20 s'
    """
    whole = round(seconds)
    return f'{whole} s' if whole < 60 else f'{whole // 60} min {whole % 60} s'
