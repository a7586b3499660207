"""Prunes a network: couples, ranks, chooses, cuts, and proves that the cut network is what it should be."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import nn

from pointkd.compress.checking import check_equal
from pointkd.compress.choosing import Ranked, choose, make_plan
from pointkd.compress.costs import Costs, measure_costs
from pointkd.compress.coupling import Coupling, couple
from pointkd.compress.folding import Folding, fold_constants
from pointkd.compress.graphs import TRACED_SIZE, TensorGraph, graph_of
from pointkd.compress.importance import CRITERIA, Gradients, has_scales, importance
from pointkd.compress.targets import Reached, highest_ratio, reach_count, reach_latency
from pointkd.core.errors import ConfigError, nearest
from pointkd.io.plan import Plan, apply_plan


@dataclass(frozen=True)
class PruneSettings:
    """How a network is pruned.

    Attributes:
        importance: `bn`, `l1`, `l2`, `taylor` or `random` (see `pointkd.compress.importance`).
        scope: `'layer'`: the same share of every layer; `'global'`: the least important channels of all.
        multiple: widths are a multiple of it.
        keep: dotted names of modules that keep their outputs.
        fold: constants of dead channels go into the layers behind them.
        seed: of the random control.
    """

    importance: str = 'bn'
    scope: str = 'layer'
    multiple: int = 8
    keep: tuple[str, ...] = ()
    fold: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Pruned:
    """A pruned network.

    Attributes:
        network: cut, with the weights that stay.
        plan: what stayed of the network that was given.
        ratio: share of channels that was asked for, or found for a target.
        difference: largest difference to the dense network with the dropped channels at zero, before folding.
        folding: what was folded; None where it was not asked for.
    """

    network: nn.Module
    plan: Plan
    ratio: float
    difference: float
    folding: Folding | None = None


@dataclass
class Pruner:
    """A network on its way to be pruned: what does not depend on the ratio is worked out once.

    Attributes:
        network: built, with its weights; it stays as it is.
        settings: how to prune.
        size: height, width of the input that costs are counted for.
        gradients: of the task loss, for `taylor`.
        graph: how the network runs on tensors; by default what its class says.
    """

    network: nn.Module
    settings: PruneSettings = field(default_factory=PruneSettings)
    size: tuple[int, int] = TRACED_SIZE
    gradients: Gradients | None = None
    graph: TensorGraph = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.settings.importance not in CRITERIA:
            raise ConfigError(f'importance {self.settings.importance!r}: {nearest(self.settings.importance, CRITERIA)}')
        self.network.eval()
        self.graph = self.graph or graph_of(self.network)

    @cached_property
    def coupling(self) -> Coupling:
        """All groups of the network."""
        return couple(self.network, self.graph, self.settings.keep)

    @cached_property
    def ranked(self) -> list[Ranked]:
        """The groups that may be cut, with the importance of their channels."""
        settings = self.settings
        groups = self.coupling.prunable()
        if not groups:
            raise ConfigError(f'{type(self.network).__name__}: nothing is left to prune, every layer is kept whole')
        found = []
        for group in groups:
            scores = importance(group, self.network, settings.importance, gradients=self.gradients, seed=settings.seed)
            if settings.importance in (
                'l1',
                'l2',
            ):  # filters of a wide layer have larger norms than those of a narrow one
                scores = scores / max(float(scores.mean()), 1e-12)
            comparable = settings.importance != 'bn' or has_scales(group, self.network)
            found.append(Ranked(group, scores, comparable))
        return found

    @cached_property
    def costs(self) -> Costs:
        """Costs of the dense network, layer by layer."""
        return measure_costs(self.network, self.graph, self.size)

    def plan(self, ratio: float) -> Plan:
        """Return the plan of a ratio.

        Raises:
            ConfigError: the ratio is out of range or would empty a layer.
        """
        kept = choose(self.ranked, ratio, scope=self.settings.scope, multiple=self.settings.multiple)
        groups = [(entry.group, stays) for entry, stays in zip(self.ranked, kept, strict=True)]
        return make_plan(self.network, groups, self.graph.attributes)

    def cut(self, plan: Plan) -> nn.Module:
        """Return a cut copy of the network."""
        network = copy.deepcopy(self.network)
        apply_plan(network, plan)
        return network.eval()

    def prune(self, ratio: float) -> Pruned:
        """Cut to a ratio, prove it, and fold where that is asked for.

        Raises:
            ConfigError: the ratio is out of range or would empty a layer.
            PointKDError: the proof failed.
        """
        plan = self.plan(ratio)
        if not plan.layers:
            raise ConfigError(
                f'ratio {ratio:g}: nothing would be cut; widths are a multiple of {self.settings.multiple}'
            )
        network = self.cut(plan)
        height, width = self.graph.size or TRACED_SIZE
        inputs = [self.graph.make_input(height, width, seed) for seed in (1, 2)]
        difference = check_equal(self.network, network, self.graph, plan, inputs[0])
        folding = None
        if self.settings.fold:
            folding = fold_constants(self.network, network, self.graph, plan, inputs)
        return Pruned(network, plan, ratio, difference, folding)

    def highest(self) -> float:
        """Return the highest ratio that leaves every layer a channel."""
        return highest_ratio(self._possible)

    def ratio_for_params(self, target: float) -> Reached:
        """Return the lowest ratio that leaves at most so many parameters."""
        return reach_count(
            lambda ratio: self.costs.params(self.plan(ratio)), target, self.highest(), 'target parameters'
        )

    def ratio_for_macs(self, target: float) -> Reached:
        """Return the lowest ratio that leaves at most so many multiply-adds at the input size."""
        return reach_count(
            lambda ratio: self.costs.macs(self.plan(ratio)), target, self.highest(), 'target multiply-adds'
        )

    def ratio_for_latency(self, measure: Callable[[nn.Module], float], dense_ms: float, target_ms: float) -> Reached:
        """Return a ratio whose latency is within 10 % of a target.

        Args:
            measure: milliseconds of a network.
            dense_ms: of this network.
            target_ms: what is asked for.
        """
        return reach_latency(lambda ratio: measure(self.cut(self.plan(ratio))), dense_ms, target_ms, self.highest())

    def left_whole(self) -> Mapping[str, str]:
        """Return the layers that keep their outputs, with the reason."""
        return {group.name: group.fixed for group in self.coupling.groups if group.fixed}

    def _possible(self, ratio: float) -> bool:
        """Return whether a ratio leaves every layer a channel."""
        try:
            self.plan(ratio)
        except ConfigError:
            return False
        return True
