"""Channel provenance: which output channels of earlier layers arrive at each input channel of a layer.

It is measured, not read from the code, so that it holds through concatenation, scattering to a grid, sparse tensors
made dense, pooling, resampling, residual sums and layers that are called as functions. During one forward

- the output of each weighted layer is replaced by a fresh random tensor, so that the graph behind it ends there;
- norms pass their input on, since all they do stays within a channel;
- at the input x of each weighted layer, the gradient of Σ_c v_c x_c with respect to those fresh tensors tells which
  channels x_c depend on which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Channel = tuple[str, int]  # dotted path of a layer, number of one of its output channels

# Axes of the data that hold channels, and axes (out, in) of the weight.
_LAYERS: dict[Callable, tuple[int, int, int]] = {
    functional.linear: (-1, 0, 1),
    functional.conv1d: (1, 0, 1),
    functional.conv2d: (1, 0, 1),
    functional.conv3d: (1, 0, 1),
    functional.conv_transpose1d: (1, 1, 0),
    functional.conv_transpose2d: (1, 1, 0),
    functional.conv_transpose3d: (1, 1, 0),
}
_NORMS: dict[Callable, int] = {
    functional.batch_norm: 1,
    functional.instance_norm: 1,
    functional.group_norm: 1,
    functional.layer_norm: -1,
}


@dataclass
class Layer:
    """A layer with a weight.

    Attributes:
        out_axis, in_axis: of its weight.
        outputs: number of output channels.
        sources: of each input channel, the channels that arrive there; none where it comes from the network's input.
    """

    out_axis: int
    in_axis: int
    outputs: int
    sources: list[set[Channel]]


@dataclass
class Provenance:
    """What one forward of a network showed.

    Attributes:
        layers: weighted layers by path, in the order of their first call.
        norms: channels behind each channel of a norm, by the path of the norm.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    norms: dict[str, list[set[Channel]]] = field(default_factory=dict)


def trace(network: nn.Module, run: Callable[[nn.Module], Any]) -> Provenance:
    """Return the channel provenance of a network.

    Args:
        network: in any mode; it is left as it was.
        run: runs one forward on some small input that reaches every layer.
    """
    probe = _Probe(network)
    with _undisturbed(network), torch.enable_grad(), probe.hooked(network), probe:
        run(network)
    return probe.seen


class _Probe(TorchFunctionMode):
    """Watches the layers of a network work."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.seen = Provenance()
        self.paths = {id(tensor): name.rpartition('.')[0] for name, tensor in _tensors(network)}
        self.fresh: list[tuple[str, int, Tensor]] = []  # path, channel axis, the tensor put in place of an output
        self.generator = torch.Generator().manual_seed(0)

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func in _LAYERS:
            return self._layer(func, *args, **kwargs)
        if func in _NORMS:
            return self._norm(func, args, kwargs)
        return func(*args, **kwargs)

    @contextmanager
    def hooked(self, network: nn.Module) -> Iterator[None]:
        """Watch spconv's layers too, which don't work through functions of torch."""
        handles = []
        for path, module in network.named_modules():
            if is_sparse_convolution(module):
                handles.append(module.register_forward_pre_hook(self._before_sparse(path)))
                handles.append(module.register_forward_hook(self._after_sparse(path)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _layer(self, func: Callable, x: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Record a call of a weighted layer, and return something fresh in place of its output."""
        axis, out_axis, in_axis = _LAYERS[func]
        owners = self._owners(weight)
        paths = [path for path, parameter in owners if parameter.ndim > 1]
        if len(paths) != 1:  # not a layer of this network
            return func(x, weight, *args, **kwargs)
        self._record(paths[0], x, axis, out_axis, in_axis, weight.shape[out_axis])
        bias = args[0] if args else kwargs.get('bias')
        folded = owners + (self._owners(bias) if bias is not None else [])
        for path in {path for path, parameter in folded if parameter.ndim == 1} - {paths[0]}:
            self.seen.norms[path] = [{(paths[0], channel)} for channel in range(weight.shape[out_axis])]
        with torch.no_grad():
            return self._replace(paths[0], axis, func(x, weight, *args, **kwargs))

    def _norm(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        """Record a call of a norm, and return its input."""
        x = args[0] if args else kwargs['input']
        operands = [value for value in (*args[1:], *kwargs.values()) if isinstance(value, Tensor)]
        path = next((self.paths[id(value)] for value in operands if id(value) in self.paths), None)
        if path is None:
            return func(*args, **kwargs)
        _merge(self.seen.norms.setdefault(path, []), self._sources(x, _NORMS[func]))
        return x

    def _before_sparse(self, path: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple) -> tuple:
            x = inputs[0]
            weight = module.weight
            self._record(path, x.features, 1, 0, weight.ndim - 1, weight.shape[0])  # type: ignore[operator, union-attr, index, arg-type]
            return (x.replace_feature(x.features.detach()), *inputs[1:])

        return hook

    def _after_sparse(self, path: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Any) -> Any:
            return output.replace_feature(self._replace(path, 1, output.features.detach()))

        return hook

    def _record(self, path: str, x: Tensor, axis: int, out_axis: int, in_axis: int, outputs: int) -> None:
        layer = self.seen.layers.setdefault(path, Layer(out_axis, in_axis, outputs, []))
        _merge(layer.sources, self._sources(x, axis))

    def _replace(self, path: str, axis: int, output: Tensor) -> Tensor:
        """Return a random positive tensor (so that no ReLU cuts it) like a layer's output."""
        values = torch.rand(output.shape, generator=self.generator).to(output) + 0.5
        self.fresh.append((path, axis, values.requires_grad_()))
        with torch.enable_grad():
            return values.clone()  # a copy, so that later layers may work in place

    def _owners(self, tensor: Tensor) -> list[tuple[str, Tensor]]:
        """Return the paths of the modules whose parameters a tensor was made of, with the parameters."""
        if id(tensor) in self.paths:
            return [(self.paths[id(tensor)], tensor)]
        found, todo, visited = [], [tensor.grad_fn], set()
        while todo:
            node = todo.pop()
            if node is None or node in visited:
                continue
            visited.add(node)
            leaf = getattr(node, 'variable', None)
            if leaf is not None and id(leaf) in self.paths:
                found.append((self.paths[id(leaf)], leaf))
            todo += [parent for parent, _ in node.next_functions]
        return found

    def _sources(self, x: Tensor, axis: int) -> list[set[Channel]]:
        """Return the channels that arrive at each channel of x."""
        sources: list[set[Channel]] = [set() for _ in range(x.shape[axis])]
        if not x.requires_grad or not x.numel():
            return sources
        for (path, _, _), pairs in zip(self.fresh, self._dependence(x, axis), strict=True):
            for output, arriving in [] if pairs is None else pairs.nonzero().tolist():
                sources[arriving].add((path, output))
        return sources

    def _dependence(self, x: Tensor, axis: int) -> list[Tensor | None]:
        """Return, for each fresh tensor, which of its channels (rows) reach which channels of x (columns).

        Three gradients are enough where an element of the fresh tensor reaches one channel: with weights 1, c + 1 and
        a shuffle of it, their ratios tell c, twice. Where they disagree, each channel gets a gradient of its own.
        """
        channels = x.shape[axis]
        shape = list(x.shape)
        shape[axis] = 1
        spread = torch.rand(shape, generator=self.generator).to(x) + 0.5  # positions must not cancel each other
        shuffle = torch.randperm(channels, generator=self.generator)
        number = torch.arange(channels)
        gradients = [
            self._gradients(x, spread * along(code.to(x), x, axis))
            for code in (number * 0 + 1, number + 1, shuffle + 1)
        ]
        result: list[Tensor | None] = []
        for (_, own_axis, _), parts in zip(self.fresh, zip(*gradients, strict=True), strict=True):
            if parts[0] is None:
                result.append(None)
                continue
            plain, numbered, shuffled = (rows(part, own_axis) for part in parts)
            pairs = _decode(plain, numbered, shuffled, shuffle.to(x))
            if pairs is None:
                return self._dependence_by_channel(x, axis, spread)
            result.append(pairs)
        return result

    def _dependence_by_channel(self, x: Tensor, axis: int, spread: Tensor) -> list[Tensor | None]:
        """Return what `_dependence` does, with one gradient a channel of x."""
        columns: list[list[Tensor | None]] = [[] for _ in self.fresh]
        for channel in range(x.shape[axis]):
            only = torch.zeros(x.shape[axis]).to(x)
            only[channel] = 1
            gradients = self._gradients(x, spread * along(only, x, axis))
            for column, gradient, (_, own_axis, _) in zip(columns, gradients, self.fresh, strict=True):
                column.append(None if gradient is None else (rows(gradient, own_axis) != 0).any(1))
        return [None if column[0] is None else torch.stack(column, 1) for column in columns]  # type: ignore[arg-type]

    def _gradients(self, x: Tensor, weights: Tensor) -> tuple[Tensor | None, ...]:
        tensors = [tensor for _, _, tensor in self.fresh]
        return torch.autograd.grad(x, tensors, weights.expand_as(x), retain_graph=True, allow_unused=True)


def _decode(plain: Tensor, numbered: Tensor, shuffled: Tensor, shuffle: Tensor) -> Tensor | None:
    """Return which rows (K) reach which channels (C), from three gradients (K, E); None where they disagree."""
    size = len(plain), len(shuffle)
    reached = (plain != 0).any(1)
    number = _number(plain.sum(1), numbered.sum(1), len(shuffle))  # (K,), right where a row reaches one channel
    if _agree(plain, numbered, shuffled, number.unsqueeze(1), shuffle):
        return torch.zeros(size, dtype=torch.bool, device=plain.device).scatter_(
            1, number.unsqueeze(1), reached[:, None]
        )
    elements = plain != 0
    number = _number(plain, numbered, len(shuffle))  # (K, E): a row may reach one channel here and another there
    if _agree(plain, numbered, shuffled, number, shuffle):
        pairs = torch.zeros(size[0], size[1] + 1, dtype=torch.bool, device=plain.device)
        return pairs.scatter_(1, torch.where(elements, number, size[1]), True)[:, :-1]
    return None


def _number(plain: Tensor, numbered: Tensor, channels: int) -> Tensor:
    """Return the channel c with numbered = (c + 1) plain, 0 where plain is 0."""
    ratio = numbered / torch.where(plain != 0, plain, 1)
    return ratio.round().long().sub_(1).clamp_(0, channels - 1)


def _agree(plain: Tensor, numbered: Tensor, shuffled: Tensor, number: Tensor, shuffle: Tensor) -> bool:
    """Return whether the gradients (K, E) are those of single channels (K, E) or (K, 1)."""
    for gradient, code in ((numbered, number + 1), (shuffled, shuffle[number] + 1)):
        if not bool((torch.addcmul(gradient, plain, code.to(plain), value=-1).abs() <= 0.1 * plain.abs()).all()):
            return False
    return True


def rows(values: Tensor, axis: int) -> Tensor:
    """Return values with the channel axis first and all others flattened behind it."""
    return values.movedim(axis, 0).flatten(1)


def along(vector: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return a vector shaped to broadcast along one axis of x."""
    shape = [1] * x.ndim
    shape[axis] = -1
    return vector.reshape(shape)


def is_sparse_convolution(module: nn.Module) -> bool:
    """Return whether a module is a convolution of spconv (weights are (out, z, y, x, in))."""
    return any(
        kind.__name__ == 'SparseConvolution' and kind.__module__.startswith('spconv') for kind in type(module).__mro__
    )


def _merge(known: list[set[Channel]], seen: list[set[Channel]]) -> None:
    """Add what one more call of a module showed."""
    if not known:
        known.extend(set() for _ in seen)
    for before, now in zip(known, seen, strict=True):
        before |= now


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


@contextmanager
def _undisturbed(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode with gradients to all parameters, and back into what it was."""
    modes = {module: module.training for module in network.modules()}
    wanted = {parameter: parameter.requires_grad for parameter in network.parameters()}
    try:
        network.eval().requires_grad_(True)
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)
