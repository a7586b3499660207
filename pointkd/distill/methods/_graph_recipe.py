"""Settings of the local graph loss: the clean preset and what the released code does."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pointkd.core.errors import ConfigError, nearest
from pointkd.distill.features import Map, Points, Voxels
from pointkd.distill.functional import EDGE_FORMS, POOLINGS
from pointkd.distill.methods._graph_layers import AGGREGATORS
from pointkd.distill.methods._graph_sets import SCORES

_CHOICES = {
    'score': SCORES,
    'neighbors_in': ('features', 'space'),
    'pooling': POOLINGS,
    'edge': EDGE_FORMS,
    'aggregator': AGGREGATORS,
    'projection': ('none', 'frozen', 'trained'),
}


@dataclass(frozen=True)
class Recipe:
    """The settings of a local graph loss; the defaults are the clean preset, explained at `LocalGraph`.

    Attributes:
        samples, neighbors, score, tau, neighbors_in, pooling, edge, aggregator, projection, width: as in `LocalGraph`.
        whole_batch: the batch is one candidate set.
        factor: of the loss.
        times_batch: the loss is multiplied by the number of samples, too.
    """

    samples: int = 1000
    neighbors: int = 32
    score: str | None = None
    tau: float = 1.0
    neighbors_in: str = 'features'
    pooling: str = 'none'
    edge: str = 'centre_difference'
    aggregator: str = 'linear'
    projection: str = 'none'
    width: int = 32
    whole_batch: bool = False
    factor: float = 1.0
    times_batch: bool = False

    def check(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: names the setting.
        """
        for name, options in _CHOICES.items():
            value = getattr(self, name)
            if value not in options and not (name == 'score' and value is None):
                raise ConfigError(f'{name}: no choice {value!r}: {nearest(str(value), options)}')
        for name in ('samples', 'neighbors', 'width', 'tau'):
            if not getattr(self, name) > 0:
                raise ConfigError(f'{name}: expected a number above 0, got {getattr(self, name)!r}')


RELEASED = Recipe(
    samples=6000,
    neighbors=128,
    score='counts',
    tau=0.01,
    edge='neighbor_centre',
    aggregator='conv',
    projection='trained',
    whole_batch=True,
    factor=2.0,
)
_UNWEIGHTED = replace(RELEASED, score='channel_max', tau=math.inf, whole_batch=False)
# What the released code does with pillars (PointPillars), maps (SECOND: its literals, weights of a softmax over one
# element, times the batch size) and points (PointRCNN). Its nuScenes variant is the map's without the batch factor and
# with 64 channels.
PUBLISHED: dict[type, Recipe] = {
    Voxels: RELEASED,
    Map: replace(_UNWEIGHTED, samples=256, times_batch=True),
    Points: replace(_UNWEIGHTED, pooling='max'),
}


def broken_promises(recipe: Recipe) -> dict[str, str]:
    """Return which fields of a contract these settings can't hold, with the reason."""
    broken = {}
    if recipe.projection == 'trained':
        broken['zero_when_equal'] = 'each side has its own trained projection'
        if recipe.aggregator == 'conv':
            broken['per_sample'] = 'the batch norm of the trained layers sees the edges of all samples'
    if recipe.whole_batch:
        broken['per_sample'] = 'centres and neighbours are chosen from the whole batch, as released'
    return broken
