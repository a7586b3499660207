"""Where a chain of steps is, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Timeline:
    """Says before each step how much time is left, from nominal durations scaled by how fast this machine has been.

    Args:
        nominal: seconds by step, in order.
        say: prints a line.
        clock: seconds, for tests.
    """

    def __init__(
        self, nominal: Mapping[str, float], say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.nominal = dict(nominal)
        self.say = say
        self.clock = clock
        self.started = clock()
        self.done: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[None]:
        """Announce a step, and note how long it took when it ends without an error."""
        number = list(self.nominal).index(name) + 1
        self.say(f'[{number}/{len(self.nominal)}] {text} (about {minutes(self.left())} left)')
        begin = self.clock()
        yield
        self.done[name] = self.clock() - begin

    def left(self) -> float:
        """Return the expected seconds until the end."""
        expected = sum(self.nominal[name] for name in self.done)
        pace = sum(self.done.values()) / expected if expected else 1.0
        return pace * sum(seconds for name, seconds in self.nominal.items() if name not in self.done)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started


def minutes(seconds: float) -> str:
    """Return a duration in words.

    Example:
        >>> minutes(40), minutes(200)
        ('40 s', '3 min')
    """
    return f'{seconds:.0f} s' if seconds < 90 else f'{seconds / 60:.0f} min'
