"""A console that a person can follow; the log file keeps every line."""

from __future__ import annotations

import logging

MOST_LINES = 45  # a table of the KITTI metric has fewer; the environment, the hooks and the config have more
MOST_CHARACTERS = 320  # of one line; a validation's line of all metrics has thousands
DUMPS = ('Config:', 'Hooks will be executed', '-' * 60)  # how mmengine's own dumps begin


class NoDumps(logging.Filter):
    """Leaves out what mmengine prints for the record: the environment, the hooks, the config."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is for a reader."""
        return not record.getMessage().strip().startswith(DUMPS)


class Brief(logging.Formatter):
    """Shortens what another formatter gives.

    Args:
        whole: the other formatter.
    """

    def __init__(self, whole: logging.Formatter) -> None:
        super().__init__()
        self.whole = whole

    def format(self, record: logging.LogRecord) -> str:
        """Return the text with long lines cut and the lines beyond a page counted."""
        lines = self.whole.format(record).splitlines()
        kept = [line if len(line) <= MOST_CHARACTERS else line[:MOST_CHARACTERS] + ' ...' for line in lines]
        if len(lines) > MOST_LINES:
            kept[MOST_LINES:] = [f'... ({len(lines) - MOST_LINES} lines more in the log file)']
        return '\n'.join(kept)


def make_brief(log: logging.Logger) -> None:
    """Shorten what a logger prints to the console; its files are left alone."""
    for handler in log.handlers:
        console = isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
        if console and not isinstance(handler.formatter, Brief):
            handler.addFilter(NoDumps())
            handler.setFormatter(Brief(handler.formatter or logging.Formatter()))
