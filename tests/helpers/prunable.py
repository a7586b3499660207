"""Small nets with one topology each, for tests of pruning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pointkd.compress.graphs import Follows, TensorGraph, image


class Conv(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(),
        )


class Chain(nn.Module):
    """Two convolutions and an output."""

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        self.first, self.second, self.out = Conv(3, 16), Conv(16, 24, kernel), nn.Conv2d(24, 5, 1)

    def forward(self, inputs: Tensor) -> Any:
        return self.out(self.second(self.first(inputs)))


class Residual(Chain):
    """Two blocks with a sum on top of one stem."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.ModuleList(nn.Sequential(Conv(16, 32), Conv(32, 16)) for _ in range(2))
        self.out = nn.Conv2d(16, 5, 1)

    def forward(self, inputs: Tensor) -> Any:
        features = self.first(inputs)
        for block in self.second:
            features = features + block(features)
        return self.out(features)


class Concat(Chain):
    """Two branches and copies of one of them, concatenated in an order that shifts indices."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.third = Conv(16, 24), Conv(16, 8)
        self.out = nn.Sequential(Conv(72, 32, 1), nn.Conv2d(32, 5, 1))

    def forward(self, inputs: Tensor) -> Any:
        features = self.first(inputs)
        left, right = self.second(features), self.third(features)
        pooled = nn.functional.max_pool2d(left, 5, 1, 2)
        return self.out(torch.cat([left, features, right, pooled], 1))


class Split(Chain):
    """A C2f: one convolution split in two, a chain with shortcuts on one half, all pieces concatenated."""

    def __init__(self, shortcut: bool = True) -> None:
        super().__init__()
        self.first, self.shortcut = Conv(3, 48), shortcut
        self.halves: Any = (24, 24)
        self.second = nn.ModuleList(nn.Sequential(Conv(24, 24), Conv(24, 24)) for _ in range(2))
        self.out = nn.Sequential(Conv(96, 32, 1), nn.Conv2d(32, 5, 1))

    def forward(self, inputs: Tensor) -> Any:
        pieces = list(self.first(inputs).split(self.halves, 1))
        for block in self.second:
            made = block(pieces[-1])
            pieces.append(pieces[-1] + made if self.shortcut else made)
        return self.out(torch.cat(pieces, 1))


class Depthwise(Chain):
    """A depthwise separable convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(Conv(16, 16, groups=16), Conv(16, 24, 1))


class Transposed(Chain):
    """A transposed convolution between plain ones."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(
            nn.ConvTranspose2d(16, 24, 2, 2, bias=False), nn.BatchNorm2d(24), nn.ReLU(), Conv(24, 24)
        )


class SharedHead(Chain):
    """Two levels through one head: decoupled branches with weights shared between levels."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.third = Conv(16, 24), Conv(24, 24, stride=2)
        self.boxes = nn.Sequential(Conv(24, 16), nn.Conv2d(16, 4, 1))
        self.classes = nn.Sequential(Conv(24, 32), nn.Conv2d(32, 7, 1))
        del self.out

    def forward(self, inputs: Tensor) -> Any:
        near = self.second(self.first(inputs))
        return [(self.boxes(level), self.classes(level)) for level in (near, self.third(near))]


class Flattened(Chain):
    """A map flattened into a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Sequential(nn.Linear(24 * 9, 40), nn.ReLU(), nn.Linear(40, 5))

    def forward(self, inputs: Tensor) -> Any:
        pooled = nn.functional.adaptive_avg_pool2d(self.second(self.first(inputs)), 3)
        return self.out(pooled.flatten(1))


TOPOLOGIES = (Chain, Residual, Concat, Split, Depthwise, Transposed, SharedHead, Flattened)
ATTRIBUTES = {Split: {'halves': Follows('first.0', (0, 24, 48))}}


def toy(kind: type[nn.Module], seed: int = 0, **settings: Any) -> tuple[nn.Module, TensorGraph]:
    """Return a toy net with random weights and statistics, in evaluation mode, and its graph."""
    torch.manual_seed(seed)
    network = kind(**settings)
    scramble(network)
    graph = TensorGraph(lambda net, inputs: net(inputs), image, ATTRIBUTES.get(kind, {}))
    return network.eval(), graph


def scramble(network: nn.Module) -> None:
    """Give every batch norm scales, shifts and statistics that tell channels apart."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.weight.uniform_(0.3, 1.7)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
