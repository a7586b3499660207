"""Random size and place."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS

from pointkd.core.errors import ConfigError
from pointkd.datasets.yolov8.letterbox import GREY

CANVAS = 'mosaic_canvas'  # set in a sample whose image is a mosaic of twice the size
PARALLEL = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags')  # what has an entry an object
MIN_SIDE, MIN_SHARE, MAX_ASPECT = 2.0, 0.1, 100.0  # of the boxes that are kept


@MMENGINE_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class CentredAffine(BaseTransform):
    """Enlarges or shrinks around the centre, shifts, and cuts an image of a fixed size out, padded with grey.

    A mosaic (see `MosaicCanvas`) starts at its own size, so that the middle quarter is cut out; any other image starts
    as it fits into the result. Boxes are clipped; those go of which a tenth or less is left, or a side of 2 pixels or
    less, or a side 100 times as long as the other.

    Args:
        size: width, height of the result.
        scale: how far the factor may lie from 1, below 1.
        translate: how far the centre may shift, as a share of the result's sides.
    """

    def __init__(self, size: tuple[int, int], scale: float = 0.5, translate: float = 0.1) -> None:
        if not 0 <= scale < 1 or not 0 <= translate <= 1:
            raise ConfigError(
                f'CentredAffine: scale must lie in [0, 1) and translate in [0, 1], got {scale}, {translate}'
            )
        self.size = (int(size[0]), int(size[1]))
        self.scale, self.translate = scale, translate

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the new image and boxes."""
        image = results['img']
        height, width = image.shape[:2]
        fit = 1.0 if results.pop(CANVAS, False) else min(self.size[0] / width, self.size[1] / height)
        factor = fit * np.random.uniform(1 - self.scale, 1 + self.scale)
        centre = (0.5 + np.random.uniform(-self.translate, self.translate, 2)) * self.size
        shift = centre - factor * np.array([width, height]) / 2
        # cv2 counts from the centre of the first pixel, boxes from its corner
        pixels = np.array([[factor, 0, shift[0] + (factor - 1) / 2], [0, factor, shift[1] + (factor - 1) / 2]])
        results['img'] = cv2.warpAffine(image, pixels, self.size, borderValue=(GREY,) * 3)
        results['img_shape'] = results['img'].shape[:2]
        boxes = results['gt_bboxes']
        boxes.rescale_((factor, factor))
        boxes.translate_(tuple(shift))
        whole = boxes.areas.clone()
        boxes.clip_((self.size[1], self.size[0]))
        keep = worth_keeping(boxes.widths, boxes.heights, boxes.areas / whole.clamp(min=1e-9)).numpy()
        for key in PARALLEL:
            results[key] = results[key][keep]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, scale={self.scale}, translate={self.translate})'


def worth_keeping(widths: torch.Tensor, heights: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return which clipped boxes (M,) stay, given their sides in pixels and what share of the whole box is left."""
    small, large = torch.minimum(widths, heights), torch.maximum(widths, heights)
    return (small > MIN_SIDE) & (large < MAX_ASPECT * small) & (shares > MIN_SHARE)
