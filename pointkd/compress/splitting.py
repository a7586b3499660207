"""Makes a split of channels visible to torch-pruning.

torch-pruning takes the uses of a split's pieces for the pieces themselves: a piece used twice (C2f's passed-on half
goes into a block, a sum and a concatenation) shifts every index behind it. So a network is traced with each piece taken
by a 1x1 convolution of its own: a kind of layer that torch-pruning reads rightly, and whose channels we know to be
those of the whole map from some index on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pointkd.compress.graphs import TRACED_SIZE, TensorGraph

PIECES = '_pieces'  # name of the modules that stand for pieces, in a traced copy
CANVAS = 64  # a network of fixed size is traced on no more than so many cells a side


class Piece(nn.Conv2d):
    """Takes some channels of a map, as a 1x1 convolution.

    Args:
        width: channels of the whole map.
        first: first channel of the piece.
        length: channels of the piece.
    """

    def __init__(self, width: int, first: int, length: int) -> None:
        super().__init__(width, length, 1, bias=False)
        self.first = first
        with torch.no_grad():
            self.weight.zero_()
            self.weight[torch.arange(length), torch.arange(first, first + length)] = 1


class Splitting(TorchFunctionMode):
    """Inside the block, splits and chunks of maps along their channels go through `Piece` modules.

    Args:
        pieces: modules in the order of use, as an earlier pass in a block without them made them; None makes them.
    """

    def __init__(self, pieces: nn.Module | None = None) -> None:
        super().__init__()
        self.made = nn.ModuleList()
        self.given: Iterator[nn.Module] | None = None if pieces is None else iter(pieces.children())

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a function of torch, or its stand-in."""
        kwargs = kwargs or {}
        if function not in SPLITS or not _along_channels(*args, **kwargs):
            return function(*args, **kwargs)
        values: Tensor = args[0]
        with torch.no_grad():
            lengths = [piece.shape[1] for piece in function(*args, **kwargs)]
        firsts = [sum(lengths[:number]) for number in range(len(lengths))]
        return tuple(
            self._piece(values.shape[1], first, length)(values) for first, length in zip(firsts, lengths, strict=True)
        )

    def _piece(self, width: int, first: int, length: int) -> nn.Module:
        """Return the next module."""
        if self.given is not None:
            return next(self.given)
        piece = Piece(width, first, length)
        self.made.append(piece)
        return piece


SPLITS = (torch.split, torch.chunk, Tensor.split, Tensor.chunk)


def traceable(network: nn.Module, graph: TensorGraph) -> nn.Module:
    """Return a copy of a network that torch-pruning can trace, with the pieces of its splits as modules `_pieces`."""
    traced = copy.deepcopy(network).cpu().float().eval()
    for module in traced.modules():
        if getattr(module, 'with_cp', False):
            module.with_cp = False
    with torch.no_grad(), Splitting() as splitting:
        graph.outputs(traced, traced_input(graph))
    traced.add_module(PIECES, splitting.made)
    return traced


def traced_input(graph: TensorGraph) -> Tensor:
    """Return an input large enough to trace with; a canvas of any size has the same channels."""
    height, width = TRACED_SIZE if graph.size is None else (min(side, CANVAS) for side in graph.size)
    return graph.make_input(height, width, 0)


def _along_channels(values: Any, size: Any = None, dim: int = 0, **settings: Any) -> bool:
    """Return whether a split is one of a map (N, C, H, W) along its channels."""
    return isinstance(values, Tensor) and values.ndim == 4 and settings.get('axis', dim) in (1, -3)
