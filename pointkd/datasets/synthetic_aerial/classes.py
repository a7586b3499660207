"""The categories of VisDrone-DET by their number, and how the generator groups them."""

from __future__ import annotations

from pointkd.core.visdrone import CLASSES

IGNORED = 0  # category of an ignored region; 1 to 10 are CLASSES in their order, 11 is "others"
PERSONS = ('pedestrian', 'people')
CYCLES = ('bicycle', 'motor', 'tricycle', 'awning-tricycle')
VEHICLES = ('car', 'van', 'truck', 'bus')


def category(name: str) -> int:
    """Return the number of a class in annotation files.

    Example:
        >>> category('car')
        4
    """
    return CLASSES.index(name) + 1
