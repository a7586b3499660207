"""Random colours."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS


@MMENGINE_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class HsvGain(BaseTransform):
    """Multiplies hue, saturation and value of an image, each by its own random factor around 1.

    Args:
        hue, saturation, value: how far the factor may lie from 1.
    """

    def __init__(self, hue: float = 0.015, saturation: float = 0.7, value: float = 0.4) -> None:
        self.gains = np.array([hue, saturation, value])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with other colours; its image is (H, W, 3) uint8 BGR."""
        factors = 1 + np.random.uniform(-1, 1, 3) * self.gains
        levels = np.arange(256)
        tables = np.stack([levels * factors[0] % 180, *np.clip(levels * factors[1:, None], 0, 255)], axis=1)  # (256, 3)
        hsv = cv2.cvtColor(results['img'], cv2.COLOR_BGR2HSV)
        hsv = cv2.LUT(hsv, tables[None].astype(np.uint8))
        results['img'] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(hue, saturation, value = {self.gains.tolist()})'
