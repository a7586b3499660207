"""The neck: a pyramid from the top down, and one from the bottom up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor
from torch.nn.functional import interpolate

from pointkd.models.yolov8.blocks import C2f, ConvBlock
from pointkd.models.yolov8.scale import WIDTHS, Scale

REPEATS = 3  # blocks of every C2f before scaling


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class YOLOv8Neck(BaseModule):
    """Mixes three maps: coarse ones enlarged into finer ones, then fine ones shrunk into coarser ones.

    Args:
        scale: see `Scale.of`.
    """

    def __init__(self, scale: Any, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        scale = Scale.of(scale)
        fine, middle, coarse = (scale.channels(width) for width in WIDTHS[2:])
        repeats = scale.repeats(REPEATS)
        self.top_down = ModuleList(
            [C2f(coarse + middle, middle, repeats, shortcut=False), C2f(middle + fine, fine, repeats, shortcut=False)]
        )
        self.downsample = ModuleList([ConvBlock(fine, fine, 3, stride=2), ConvBlock(middle, middle, 3, stride=2)])
        self.bottom_up = ModuleList(
            [C2f(fine + middle, middle, repeats, shortcut=False), C2f(middle + coarse, coarse, repeats, shortcut=False)]
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mixed maps at strides 8, 16 and 32, of the widths they came with."""
        fine, middle, coarse = maps
        middle = self.top_down[0](torch.cat([_enlarge(coarse), middle], dim=1))
        fine = self.top_down[1](torch.cat([_enlarge(middle), fine], dim=1))
        middle = self.bottom_up[0](torch.cat([self.downsample[0](fine), middle], dim=1))
        coarse = self.bottom_up[1](torch.cat([self.downsample[1](middle), coarse], dim=1))
        return fine, middle, coarse


def _enlarge(x: Tensor) -> Tensor:
    """Return a map of twice the height and width, each cell repeated."""
    return interpolate(x, scale_factor=2.0, mode='nearest')
