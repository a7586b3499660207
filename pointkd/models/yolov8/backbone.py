"""The backbone: a stem and four stages."""

from __future__ import annotations

from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseModule, Sequential
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor

from pointkd.models.yolov8.blocks import SPPF, C2f, ConvBlock
from pointkd.models.yolov8.scale import WIDTHS, Scale

REPEATS = (3, 6, 6, 3)  # blocks of the stages before scaling


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class YOLOv8Backbone(BaseModule):
    """Halves the map five times; each stage is a strided convolution and a `C2f`, the last with an `SPPF` behind it.

    Args:
        scale: see `Scale.of`.
    """

    def __init__(self, scale: Any, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        scale = Scale.of(scale)
        widths = [scale.channels(width) for width in WIDTHS]
        self.stem = ConvBlock(3, widths[0], 3, stride=2)
        stages = []
        for before, width, repeats in zip(widths, widths[1:], REPEATS, strict=False):
            layers = [ConvBlock(before, width, 3, stride=2), C2f(width, width, scale.repeats(repeats), shortcut=True)]
            stages.append(layers)
        stages[-1].append(SPPF(widths[-1]))
        self.stage1, self.stage2, self.stage3, self.stage4 = (Sequential(*layers) for layers in stages)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps at strides 8, 16 and 32.

        Args:
            images: (N, 3, H, W) float, RGB from 0 to 1; H and W multiples of 32.
        """
        stride8 = self.stage2(self.stage1(self.stem(images)))
        stride16 = self.stage3(stride8)
        return stride8, stride16, self.stage4(stride16)
