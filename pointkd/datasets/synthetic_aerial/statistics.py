"""The fitted parameters: `statistics.json`, written by tools/aerial_statistics.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from pointkd.core.errors import DataError
from pointkd.datasets.synthetic_aerial.classes import CLASSES
from pointkd.datasets.synthetic_aerial.copula import draw, quantile

FILE = 'statistics.json'
CROWD_SHARE = 0.25  # of the images with an ignored region; the others have one for what is cut, hidden or tiny


@dataclass(frozen=True)
class Statistics:
    """What the generator aims at; see `measure.describe` for the meaning of `measured`."""

    measured: dict[str, object]
    present: np.ndarray  # (10,) before images without any object are drawn again
    quantiles: np.ndarray  # (10, Q)
    correlation: np.ndarray  # (11, 11)
    scale: list[float]
    upright: list[float]
    occlusion: dict[str, list[float]]
    ignored: float


@dataclass(frozen=True)
class Wanted:
    """What one image shall show.

    Attributes:
        counts: objects by class, at least one in all.
        scale: size of a car in shares of the image's side.
        upright: height over width of a pedestrian, by which the camera's pitch is chosen.
        ignored: whether there is a crowd that is labelled as an ignored region.
    """

    counts: dict[str, int]
    scale: float
    upright: float
    ignored: bool


@cache
def load() -> Statistics:
    """Read the parameters that come with the package.

    Raises:
        DataError: the file is broken.
    """
    text = resources.files('pointkd.datasets.synthetic_aerial').joinpath(FILE).read_text(encoding='utf-8')
    try:
        return parse(json.loads(text))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f'{FILE}: {error!r}; write it again with tools/aerial_statistics.py') from error


def parse(content: dict) -> Statistics:
    """Return the parameters that a JSON object holds."""
    measured = content['measured']
    return Statistics(
        measured=measured,
        present=np.array(content['present']),
        quantiles=np.array([measured['counts'][name] for name in CLASSES]),
        correlation=np.array(content['correlation']),
        scale=content['scale'],
        upright=measured['upright'],
        occlusion=measured['occlusion'],
        ignored=measured['ignored'],
    )


def wanted(statistics: Statistics, rng: np.random.Generator) -> Wanted:
    """Draw what one image shall show."""
    counts, level = draw(rng, statistics.correlation, statistics.present, statistics.quantiles, rows=1)
    return Wanted(
        counts={name: int(count) for name, count in zip(CLASSES, counts[0], strict=True)},
        scale=quantile(statistics.scale, float(level[0])),
        upright=quantile(statistics.upright, float(rng.random())),
        ignored=bool(rng.random() < CROWD_SHARE * statistics.ignored),
    )
