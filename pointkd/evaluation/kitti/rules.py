"""The names and numbers of the KITTI object benchmark (development kit, later form)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pointkd.core.errors import ConfigError, nearest

CLASSES = ('Car', 'Pedestrian', 'Cyclist')
METRICS = ('bbox', 'bev', '3d')  # aos comes with bbox
DIFFICULTIES = ('easy', 'moderate', 'hard')

# Class names that play a part, by code; the first three are the evaluated classes. Any other name has code OTHER.
NAMES = (*CLASSES, 'Van', 'Person_sitting', 'DontCare')
OTHER = -1
DONT_CARE = NAMES.index('DontCare')
# The class that an object of each code belongs to: Van stands beside Car, Person_sitting beside Pedestrian. The last
# entry answers for OTHER (index -1).
GROUP = np.array([0, 1, 2, 0, 1, -1, -1])

# By difficulty. A label must be higher than MIN_HEIGHT pixels, a detection at least as high.
MIN_HEIGHT = (40, 25, 25)
MAX_OCCLUSION = (0, 1, 2)
MAX_TRUNCATION = (0.15, 0.30, 0.50)

RECALL_POINTS = 41
NO_ALPHA = -10.0  # "orientation unknown"
NOWHERE = -1000.0  # coordinate of what has no place in space

OFFICIAL_OVERLAP = {'Car': 0.7, 'Pedestrian': 0.5, 'Cyclist': 0.5}
StandFor = Mapping[str, str]
MinOverlaps = Mapping[str, float | Mapping[str, float]]


def name_codes(stand_for: StandFor | None = None) -> dict[str, int]:
    """Return the code of each class name, in lower case.

    Args:
        stand_for: names of your own and the evaluated class whose rules hold for them, `{'Forklift': 'Car'}`.

    Raises:
        ConfigError: a name stands for something that is not evaluated, or is a KITTI name itself.

    Example:
        >>> name_codes({'Worker': 'Pedestrian'})['worker']
        1
    """
    codes = {name.lower(): code for code, name in enumerate(NAMES)}
    for own, official in (stand_for or {}).items():
        if official not in CLASSES:
            raise ConfigError(f'stand_for[{own!r}]: no class {official!r}, {nearest(official, CLASSES)}')
        if own.lower() in codes:
            raise ConfigError(f'stand_for: {own!r} has rules of its own in KITTI and can not stand for {official}')
        codes[own.lower()] = CLASSES.index(official)
    return codes


def overlap_table(min_overlaps: MinOverlaps | None = None) -> np.ndarray:
    """Return the overlap that a match must exceed, by metric and class.

    Args:
        min_overlaps: departures from the official values: `{'Car': 0.5}` for all metrics of a class, or
            `{'Car': {'bev': 0.5, '3d': 0.5}}` for some. AOS goes with `bbox`.

    Returns:
        (3, 3) float64; rows as `METRICS`, columns as `CLASSES`.

    Raises:
        ConfigError: an unknown class or metric, or a value that is not between 0 and 1.

    Example:
        >>> overlap_table({'Car': {'3d': 0.5}})
        array([[0.7, 0.5, 0.5],
               [0.7, 0.5, 0.5],
               [0.5, 0.5, 0.5]])
    """
    table = np.array([[OFFICIAL_OVERLAP[name] for name in CLASSES]] * len(METRICS))
    for name, asked in (min_overlaps or {}).items():
        if name not in CLASSES:
            raise ConfigError(f'min_overlaps: no class {name!r}, {nearest(name, CLASSES)}')
        by_metric = asked if isinstance(asked, Mapping) else dict.fromkeys(METRICS, asked)
        for metric, value in by_metric.items():
            if metric not in METRICS:
                raise ConfigError(f'min_overlaps[{name!r}]: no metric {metric!r}, {nearest(metric, METRICS)}')
            if not 0 < value < 1:
                raise ConfigError(f'min_overlaps[{name!r}][{metric!r}]: expected a number between 0 and 1, got {value}')
            table[METRICS.index(metric), CLASSES.index(name)] = value
    return table
