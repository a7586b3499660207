"""One process at a time works in the folder of a suite."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from pointkd.core.errors import ConfigError
from pointkd.report.results.places import Places


@contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the lock of a suite's work folder; the system frees it when the process ends, however it ends.

    Raises:
        ConfigError: another process holds it.
    """
    path = places.work / 'lock'
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f'another process works on the suite {places.suite!r} ({path}); wait for it') from error
        yield
