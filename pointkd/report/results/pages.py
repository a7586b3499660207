"""Writes the tables where they are read: beside the JSONs, and between marks in docs/results.md."""

from __future__ import annotations

from pointkd.core.errors import DataError
from pointkd.core.files import write_text
from pointkd.report.results.belonging import belonging
from pointkd.report.results.places import Places
from pointkd.report.results.plan import State
from pointkd.report.results.plots import write_plots
from pointkd.report.results.suite import Suite
from pointkd.report.results.tables import render


def marks(suite: str) -> tuple[str, str]:
    """Return the lines between which a suite's tables stand on the page."""
    return f'<!-- results:{suite}:begin -->', f'<!-- results:{suite}:end -->'


def write_pages(suite: Suite, places: Places, state: State) -> None:
    """Write tables and plots of the runs that are of the suite as it is now.

    Args:
        suite: the suite.
        places: its files.
        state: what has been measured.

    Raises:
        DataError: the page has no place for the suite.
    """
    state = belonging(suite, places, state)
    write_plots(suite, state, places.documents)
    write_text(places.tables, render(suite, state, pictures=''))
    before, _, after = split(_read(places), suite.name)
    write_text(places.page, before + section(suite, state) + after)


def section(suite: Suite, state: State) -> str:
    """Return what stands between the marks of the page."""
    return f'\n{render(suite, state, pictures=f"results/{suite.name}/")}'


def split(page: str, suite: str) -> tuple[str, str, str]:
    """Return a page's text up to a suite's section, the section, and the rest; the marks belong to the outer parts.

    Raises:
        DataError: the marks are missing, or in the wrong order.
    """
    begin, end = marks(suite)
    before, first, rest = page.partition(begin)
    inside, last, after = rest.partition(end)
    if not first or not last:
        raise DataError(f'docs/results.md: has no place for the suite {suite!r}; write the lines {begin} and {end}')
    return before + first, inside, last + after


def page_section(places: Places) -> str:
    """Return the section of a suite as it stands on the page.

    Raises:
        DataError: there is none.
    """
    return split(_read(places), places.suite)[1]


def _read(places: Places) -> str:
    """Return the page's text."""
    if not places.page.is_file():
        raise DataError(f'{places.page} is missing: it has the tables of all suites')
    return places.page.read_text(encoding='utf-8')
