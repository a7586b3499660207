"""Fits an image of any shape into one of a fixed shape."""

from __future__ import annotations

from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS

from pointkd.core.errors import ConfigError

GREY = 114


@MMENGINE_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class Letterbox(BaseTransform):
    """Enlarges or shrinks an image as far as it fits, keeps its proportions, and pads it evenly on both sides.

    Notes `scale_factor` (width, height; what the whole pixels of the new size really are), `pad_offset` (left, top) and
    `img_shape`, from which `YOLOv8Head` finds the way back. Boxes in the sample go along.

    Args:
        scale: width, height of the result.
        pad_value: of the padding.
    """

    def __init__(self, scale: tuple[int, int], pad_value: int = GREY) -> None:
        if len(scale) != 2 or min(scale) < 1:
            raise ConfigError(f'Letterbox: scale must be width and height in pixels, got {scale!r}')
        self.scale = (int(scale[0]), int(scale[1]))
        self.pad_value = pad_value

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the new image."""
        image = results['img']
        height, width = image.shape[:2]
        factor = min(self.scale[0] / width, self.scale[1] / height)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        left, top = (self.scale[0] - size[0]) // 2, (self.scale[1] - size[1]) // 2
        canvas = np.full((self.scale[1], self.scale[0], *image.shape[2:]), self.pad_value, dtype=image.dtype)
        canvas[top : top + size[1], left : left + size[0]] = mmcv.imresize(image, size)
        results['img'] = canvas
        results['img_shape'] = canvas.shape[:2]
        results['scale_factor'] = (size[0] / width, size[1] / height)
        results['pad_offset'] = (left, top)
        if results.get('gt_bboxes') is not None:
            results['gt_bboxes'].rescale_(results['scale_factor'])
            results['gt_bboxes'].translate_((left, top))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale}, pad_value={self.pad_value})'
