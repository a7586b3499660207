"""The blocks that backbone, neck and head are made of."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, ModuleList
from torch import Tensor
from torch.nn.functional import max_pool2d

NORM = dict(type='BN', eps=1e-3, momentum=0.03)
# Not in place: autograd keeps the input anyway, and taps may look at it.
ACTIVATION = dict(type='SiLU', inplace=False)


class ConvBlock(ConvModule):
    """Convolution without bias, batch norm, SiLU; the map keeps its size but for the stride.

    Args:
        in_channels, out_channels: widths.
        kernel: odd size of the kernel.
        stride: step.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, norm_cfg=NORM, act_cfg=ACTIVATION
        )

    def init_weights(self) -> None:
        """Draw the weights as torch's layers do by default."""
        self.conv.reset_parameters()
        self.norm.reset_parameters()


class Bottleneck(BaseModule):
    """Two 3×3 convolutions of one width, with the input added where asked for."""

    def __init__(self, channels: int, shortcut: bool, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.cv1 = ConvBlock(channels, channels, 3)
        self.cv2 = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H, W)."""
        out = self.cv2(self.cv1(x))
        return x + out if self.shortcut else out


class C2f(BaseModule):
    """A chain of bottlenecks whose every link reaches the output.

    `cv1` makes two pieces; the second starts the chain, whose links each take the piece before; `cv2` sees all pieces.

    Args:
        in_channels, out_channels: widths.
        repeats: links of the chain.
        shortcut: whether a link adds its input.

    Attributes:
        pieces: widths of the two pieces that `cv1` makes; a pruned net may have them unequal.
    """

    def __init__(self, in_channels: int, out_channels: int, repeats: int, shortcut: bool, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        hidden = out_channels // 2
        self.pieces = (hidden, hidden)
        self.cv1 = ConvBlock(in_channels, 2 * hidden)
        self.blocks = ModuleList([Bottleneck(hidden, shortcut) for _ in range(repeats)])
        self.cv2 = ConvBlock((2 + repeats) * hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H, W)."""
        pieces = list(self.cv1(x).split(self.pieces, dim=1))
        for block in self.blocks:
            pieces.append(block(pieces[-1]))
        return self.cv2(torch.cat(pieces, dim=1))


class SPPF(BaseModule):
    """Maxima over windows of 5, 9 and 13 cells beside the map itself, from three chained poolings.

    Args:
        channels: width of input and output.
    """

    def __init__(self, channels: int, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        hidden = channels // 2
        self.cv1 = ConvBlock(channels, hidden)
        self.cv2 = ConvBlock(4 * hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H, W)."""
        pieces = [self.cv1(x)]
        for _ in range(3):
            pieces.append(max_pool2d(pieces[-1], kernel_size=5, stride=1, padding=2))
        return self.cv2(torch.cat(pieces, dim=1))
