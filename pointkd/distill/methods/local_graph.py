"""Local graph distillation (PointDistiller) on voxels, pillars, bird's-eye maps and points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Feature, Map, Points, Voxels
from pointkd.distill.functional import centre_weights, effective_centres, knn, top_elements
from pointkd.distill.functional.precision import full_precision
from pointkd.distill.methods._graph_layers import (
    WATCHED_ROWS,
    EdgeLayer,
    FrozenLayer,
    RawEdges,
    TrainedLayers,
    Views,
)
from pointkd.distill.methods._graph_recipe import PUBLISHED, RELEASED, Recipe, broken_promises
from pointkd.distill.methods._graph_sets import CandidateSet, candidates
from pointkd.distill.methods._graphs import Graph
from pointkd.distill.methods.base import Context, Contract, Method, Term, Widths
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class LocalGraph(Method):
    """Makes the student's local graphs equal the teacher's; see docs/methods/local_graph.md.

    Of each sample the N most important elements become centres; each is joined to its K nearest elements; what lies on
    these edges is compared: `L = 1/N Σ_i w_i mean_{k,c} (G_S - G_T)²` with `w = N softmax(s/τ)`, mean over samples.

    The clean preset (default) and its reasons:

    - 1000 centres a sample: the released 6000 for a batch of six. 32 neighbours: of 128 most are copies of the first.
    - `score` log-counts with τ = 1, that is, weights in proportion to the points in a voxel: full pillars lead, thin
      ones still count. Without counts (maps, points) the teacher's largest channel.
    - `edge` centre_difference: one half says what the centre is, the other how its surroundings differ from it.
    - `projection` none: the edges themselves are compared, the student's behind its connector. A trained projection of
      the teacher lets the target run away (both sides can become 0); a fixed one only hides part of the difference,
      and pays off where memory counts.

    `published=True` is the released formula instead, its oddities included; it takes no other setting.

    Args:
        widths: channels of both sides.
        published: the released code's behaviour for the kind of feature.
        samples: N, centres a sample (all elements where there are fewer).
        neighbors: K, neighbours a centre, itself included (all elements where there are fewer).
        score: importance: `counts`, `log_counts`, `channel_max` (of the teacher), `confidence` (needs that tap).
        tau: temperature of the weights, in units of the score; `float('inf')` weighs all centres equally.
        neighbors_in: `features` (the teacher's) or `space` (metres).
        pooling: over K: `none`, `max`, `mean`.
        edge: `neighbor_centre`, `centre_difference`, `difference_centre`; see `edge_features`.
        projection: `none`; `frozen`, one fixed orthogonal layer for both sides; `trained`, one trained layer a side.
        aggregator: the layer: `linear`, or `conv` (with norm and ReLU). Not for projection `none`.
        width: channels of the layer. Not for projection `none`.
        confidence: teacher tap of class score maps, for the score `confidence`.

    Raises:
        ConfigError: a setting that means nothing, or that would have no effect.
    Source: PointDistiller (2205.11098), section 3; the released code is described at `PUBLISHED` and in the page.
    """

    contract = Contract(features=(Map, Voxels, Points))

    def __init__(
        self,
        *,
        widths: Widths,
        published: bool = False,
        samples: int | None = None,
        neighbors: int | None = None,
        score: str | None = None,
        tau: float | None = None,
        neighbors_in: str | None = None,
        pooling: str | None = None,
        edge: str | None = None,
        projection: str | None = None,
        aggregator: str | None = None,
        width: int | None = None,
        confidence: str | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if value is not None}
        super().__init__()
        chosen = {entry.name: given[entry.name] for entry in fields(Recipe) if entry.name in given}
        if published:
            _refuse(given.keys() - {'self', '__class__', 'widths', 'published'}, 'have no place beside published=True')
        recipe = RELEASED if published else Recipe(**chosen)
        recipe.check()
        if recipe.projection == 'none':
            _refuse(given.keys() & {'aggregator', 'width'}, "have no effect with projection='none'")
        if (recipe.score == 'confidence') != (confidence is not None):
            raise ConfigError("confidence: give the tap of the teacher's class scores together with score='confidence'")
        self.recipe = None if published else recipe  # the published one depends on the kind of feature
        self.confidence = confidence
        self.layer = _layer(recipe, widths)
        self.contract = Contract(**broken_promises(recipe), features=self.contract.features)

    @classmethod
    def connects_with(cls, settings: Mapping[str, Any]) -> bool:
        """Return False where a trained layer takes the student's own width."""
        return not settings.get('published') and settings.get('projection') != 'trained'

    def extra_taps(self) -> dict[str, tuple[str, str]]:
        """Return the tap of the teacher's class scores, where the score needs it."""
        return {'confidence': ('teacher', self.confidence)} if self.confidence else {}

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the loss of features on the same elements, and how many centres effectively took part."""
        recipe = self.recipe or PUBLISHED[type(teacher)]
        with full_precision(teacher.values):
            found = candidates(student, teacher, recipe.score, context.extra.get('confidence'), recipe.whole_batch)
            graphs = [build_graph(found.teacher, entry, recipe) for entry in found.sets]
            loss, views = self.layer(found.student, found.teacher, graphs, recipe.pooling)
        factor = recipe.factor * (len(graphs) if recipe.times_batch else 1)
        return Term(factor * loss, _scalars(graphs, teacher.values), _watched(views))


@torch.no_grad()
def build_graph(teacher: Tensor, entry: CandidateSet, recipe: Recipe) -> Graph:
    """Return the local graphs of one candidate set, none where it is empty.

    Args:
        teacher: (T, C) features of the batch.
        entry: the set.
        recipe: settings.
    """
    centres = top_elements(entry.score, recipe.samples)
    space = entry.positions if recipe.neighbors_in == 'space' else teacher.index_select(0, entry.places)
    neighbours = knn(space, min(recipe.neighbors, max(1, len(space))), centres)
    weights = centre_weights(entry.score[centres], recipe.tau)
    return Graph(entry.places[centres], entry.places[neighbours], weights)


def _layer(recipe: Recipe, widths: Widths) -> EdgeLayer:
    """Build what looks at the edges."""
    if recipe.projection == 'trained':
        return TrainedLayers(widths.student, widths.teacher, recipe.width, recipe.edge, recipe.aggregator)
    if widths.student != widths.teacher:
        raise ConfigError(
            f'projection={recipe.projection!r} compares equal widths, got {widths.student} and {widths.teacher}; '
            "use a connector, or projection='trained'"
        )
    if recipe.projection == 'frozen':
        return FrozenLayer(widths.teacher, recipe.width, recipe.edge, recipe.aggregator)
    return RawEdges(recipe.edge)


def _refuse(names: set[str], reason: str) -> None:
    """Raise where settings were given that would not act."""
    if names:
        raise ConfigError(f'{", ".join(sorted(names))}: {reason}; remove them')


@torch.no_grad()
def _scalars(graphs: list[Graph], like: Tensor) -> dict[str, Tensor]:
    """Return what the log shows, as means over the sets that have centres."""
    weights = [graph.weights for graph in graphs if len(graph.weights)]
    if not weights:
        nothing = like.new_zeros(())
        return {'centres': nothing, 'effective_centres': nothing, 'effective_share': nothing + 1}
    centres = torch.tensor([float(len(entry)) for entry in weights], device=like.device)
    effective = torch.stack([effective_centres(entry).float() for entry in weights])
    return {
        'centres': centres.mean(),
        'effective_centres': effective.mean(),
        'effective_share': (effective / centres).mean(),
    }


@torch.no_grad()
def _watched(views: Views) -> tuple[Tensor, Tensor] | None:
    """Return rows of both sides' graph features, thinned evenly, for the collapse watch."""
    if not views:
        return None
    step = max(1, sum(ours.shape[0] * ours.shape[1] for ours, _ in views) // WATCHED_ROWS)
    ours, theirs = (torch.cat([view.flatten(0, 1)[::step] for view in side]) for side in zip(*views, strict=True))
    return ours, theirs
