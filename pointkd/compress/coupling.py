"""Which channels of which layers must be cut together, from torch-pruning's dependency graph.

torch-pruning says, for the outputs of one layer, which channels of other layers go with each of them: through residual
sums, concatenations, splits, depthwise convolutions, shared heads. Here these statements are joined channel by channel
into classes, and classes that run through the same layers form a group; a layer may have its channels in several groups
(the two halves of a split).
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pointkd.compress.graphs import TensorGraph
from pointkd.compress.splitting import PIECES, Piece, Splitting, traceable, traced_input
from pointkd.core.errors import ConfigError, nearest
from pointkd.io.plan import channels_of, is_depthwise

INPUTS, OUTPUTS = 'inputs', 'outputs'
Side = tuple[str, str]  # layer, INPUTS or OUTPUTS
OUTPUT_REASON = 'output of the network'


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that run through the same layers; each one can be cut on its own.

    Attributes:
        members: for each side of a layer, which of its channels belong to each channel of the group: (C, k) int64;
            k > 1 where one channel arrives several times (a concatenation of copies, a flattened map).
        fixed: why the group must stay whole, '' where it may be cut.
    """

    members: Mapping[Side, np.ndarray]
    fixed: str = ''

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(next(iter(self.members.values())))

    @property
    def name(self) -> str:
        """The layers that produce the channels, for messages."""
        return ' + '.join(layer for layer, side in self.members if side == OUTPUTS)

    def layers(self, side: str) -> list[str]:
        """Return the names of the layers that take part with one side."""
        return [layer for layer, which in self.members if which == side]


@dataclass(frozen=True)
class Coupling:
    """All groups of a network.

    Attributes:
        groups: in the order of the layers.
        unprunable: layers with weights of a kind that can't be cut, by name, with that kind.
    """

    groups: tuple[ChannelGroup, ...]
    unprunable: Mapping[str, str]

    def prunable(self) -> list[ChannelGroup]:
        """Return the groups that may be cut."""
        return [group for group in self.groups if not group.fixed]


def couple(network: nn.Module, graph: TensorGraph, keep: Iterable[str] = ()) -> Coupling:
    """Find the groups of a network.

    Args:
        network: any; it is left as it is.
        graph: how it runs on tensors.
        keep: dotted names of modules whose layers keep all outputs, with all that is coupled to them.

    Raises:
        ConfigError: a module with weights of an unknown kind is not in `keep`, or a name of `keep` does not exist.
    """
    names = {name for name, _ in network.named_modules()}
    kept = tuple(keep)
    for name in kept:
        if name not in names:
            raise ConfigError(f'keep: this network has no module {name!r}: {nearest(name, names)}')
    unprunable = dict(unknown_layers(network, graph))
    loose = [name for name in unprunable if not within(name, kept)]
    if loose:
        raise ConfigError(
            f'{loose[0]}: a {unprunable[loose[0]]} can not be pruned'
            + (f' (and {len(loose) - 1} more such layers)' if len(loose) > 1 else '')
            + '; keep it and all that is coupled to it whole with --keep'
        )
    classes = _Classes(network, graph)
    return Coupling(tuple(classes.groups(unprunable, kept)), unprunable)


def unknown_layers(network: nn.Module, graph: TensorGraph) -> Iterator[tuple[str, str]]:
    """Yield name and kind of every module with weights in the graph that no plan can cut (single numbers aside)."""
    found = {}
    for name, module in network.named_modules():
        own = [key for key, value in module.named_parameters(recurse=False) if value.numel() > 1]
        if own and channels_of(module) is None:
            found[name] = own
    if not found:
        return
    traced = traceable(network, graph)
    parameters = [getattr(traced.get_submodule(name), key) for name, own in found.items() for key in own]
    with torch.enable_grad():
        traced.requires_grad_(True)
        total = torch.stack([output.sum() for output in graph.outputs(traced, traced_input(graph))]).sum()
        gradients = iter(torch.autograd.grad(total, parameters, allow_unused=True))
    for name, own in found.items():
        reached = [next(gradients) is not None for _ in own]
        if any(reached):
            yield name, type(network.get_submodule(name)).__name__


def within(name: str, modules: Iterable[str]) -> bool:
    """Return whether a layer is one of the modules, or inside one."""
    return any(name == module or name.startswith(f'{module}.') for module in modules)


class _Classes:
    """Classes of coupled channels, kept as a union-find over (side, index)."""

    def __init__(self, network: nn.Module, graph: TensorGraph) -> None:
        traced = traceable(network, graph)
        self.modules = {name: module for name, module in traced.named_modules() if channels_of(module) is not None}
        self.offsets: dict[Side, int] = {}
        self.sides: list[Side] = []
        for name, module in self.modules.items():
            widths = channels_of(module)
            assert widths is not None  # that is how they were chosen
            sides = [(INPUTS, widths[0])] if len(widths) == 2 and not is_depthwise(module) else []
            for side, width in (*sides, (OUTPUTS, widths[-1])):
                self.offsets[name, side] = len(self.sides)
                self.sides += [(name, side)] * width
        self.parent = list(range(len(self.sides)))
        self.reasons: dict[int, str] = {}
        self.seen = np.zeros(len(self.sides), dtype=bool)
        for name, module in self.modules.items():
            if isinstance(module, Piece):
                self._join(self.offsets[name, OUTPUTS], self.offsets[name, INPUTS] + module.first, module.out_channels)
        self._join_groups(traced, graph)

    def groups(self, unprunable: Mapping[str, str], keep: tuple[str, ...]) -> Iterator[ChannelGroup]:
        """Yield the groups, in the order of their first producer."""
        classes: dict[int, list[int]] = defaultdict(list)
        for atom in np.flatnonzero(self.seen):
            classes[self._find(int(atom))].append(int(atom))
        reasons = {self._find(atom): reason for atom, reason in self.reasons.items()}
        together: dict[Any, list[list[int]]] = defaultdict(list)
        for root, atoms in classes.items():
            own = [atom for atom in atoms if not isinstance(self.modules[self.sides[atom][0]], Piece)]
            signature = tuple(self.sides[atom] for atom in own)
            if any(side == OUTPUTS for _, side in signature):
                together[signature, reasons.get(root, '')].append(own)
        for (signature, reason), members in together.items():
            yield self._group(signature, np.array(members), reason or self._why_fixed(signature, keep))

    def _group(self, signature: tuple[Side, ...], atoms: np.ndarray, fixed: str) -> ChannelGroup:
        """Return a group from its classes, atoms (C, members)."""
        columns: dict[Side, list[np.ndarray]] = defaultdict(list)
        for column, side in enumerate(signature):
            columns[side].append(atoms[:, column] - self.offsets[side])
        return ChannelGroup({side: np.stack(values, axis=1) for side, values in columns.items()}, fixed)

    def _why_fixed(self, signature: tuple[Side, ...], keep: tuple[str, ...]) -> str:
        """Return why channels that run through these sides must stay, or ''."""
        for layer, side in signature:
            if side == OUTPUTS and within(layer, keep):
                return f'{layer} is kept'
        return '' if any(side == INPUTS for _, side in signature) else OUTPUT_REASON

    def _find(self, atom: int) -> int:
        """Return the representative of a channel's class."""
        while self.parent[atom] != atom:
            self.parent[atom] = self.parent[self.parent[atom]]
            atom = self.parent[atom]
        return atom

    def _join(self, first: int, second: int, width: int) -> None:
        """Join channels one by one, `width` of them from each start."""
        for offset in range(width):
            self.parent[self._find(first + offset)] = self._find(second + offset)

    def _join_groups(self, traced: nn.Module, graph: TensorGraph) -> None:
        """Join what the dependency graph says belongs together."""
        dependencies = _dependency_graph(traced, graph)
        names = {module: name for name, module in traced.named_modules()}
        for name, module in self.modules.items():
            first, width = self.offsets[name, OUTPUTS], channels_of(module)[-1]  # type: ignore[index]
            known = isinstance(module, _BatchNorm) or module not in dependencies.module2node
            if known or self.seen[first : first + width].all():
                continue
            pruner = dependencies.get_pruner_of_module(module)
            for item in dependencies.get_pruning_group(module, pruner.prune_out_channels, list(range(width))):
                self._join_item(dependencies, names, first, item)

    def _join_item(self, dependencies: Any, names: Mapping[nn.Module, str], first: int, item: Any) -> None:
        """Join the channels that one item of torch-pruning's group has to those of its root."""
        target = item.dep.target.module
        name = names.get(target, '') if isinstance(target, nn.Module) else ''
        roots = [first + root for root in item.root_idxs]
        if name in self.modules:
            inwards = dependencies.is_in_channel_pruning_fn(item.dep.handler)
            outwards = dependencies.is_out_channel_pruning_fn(item.dep.handler)
            side = INPUTS if inwards and not outwards and (name, INPUTS) in self.offsets else OUTPUTS
            for root, index in zip(roots, item.idxs, strict=True):
                atom = self.offsets[name, side] + index
                self.seen[root] = self.seen[atom] = True
                self.parent[self._find(atom)] = self._find(root)
            return
        kind = type(target).__name__
        reason = ''
        if kind == '_OutputOp':
            reason = OUTPUT_REASON
        elif isinstance(target, nn.Parameter) or name:
            reason = f'coupled to {name or "a bare parameter"} ({kind})'
        if reason:
            self.reasons.update(dict.fromkeys(roots, reason))


def _dependency_graph(traced: nn.Module, graph: TensorGraph) -> Any:
    """Return torch-pruning's graph of a network."""
    import torch_pruning

    def forward(module: nn.Module, example: Tensor) -> list[Tensor]:
        module.requires_grad_(True)  # torch-pruning calls eval(), in which frozen backbones freeze themselves again
        with Splitting(module.get_submodule(PIECES)):
            # The multiplication ends each output in an operation of its own, which torch-pruning knows as an output.
            return [output * 1.0 for output in graph.outputs(module, example)]

    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch-pruning's remarks on bare parameters, which are dealt with here
        return torch_pruning.DependencyGraph().build_dependency(
            traced, example_inputs=traced_input(graph), forward_fn=forward, verbose=False
        )
