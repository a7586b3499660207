"""Several images in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import Mosaic
from mmdet.registry import TRANSFORMS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS

from pointkd.core.errors import ConfigError
from pointkd.datasets.yolov8.affine import CANVAS, PARALLEL


@MMENGINE_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class MosaicCanvas(Mosaic):
    """mmdet's `Mosaic` (arguments as there), which tells `CentredAffine` that it was there."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the mosaic of four images, of twice `img_scale`."""
        before = results['img']
        results = super().transform(results)
        if results['img'] is not before:
            results[CANVAS] = True
        return results


@MMENGINE_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class MosaicMixUp(BaseTransform):
    """Blends a sample with another, itself a mosaic; the objects of both stay.

    For mmdet's `MultiImageMixDataset`, which draws the images.

    Args:
        pipeline: transforms that make the other sample from four images; its first takes `mix_results`.
        prob: how often.
        beta: the share of each is drawn from Beta(beta, beta): near one half.
    """

    IMAGES = 4

    def __init__(self, pipeline: Sequence[Any], prob: float, beta: float = 32.0) -> None:
        if not 0 <= prob <= 1:
            raise ConfigError(f'MosaicMixUp: prob must lie between 0 and 1, got {prob}')
        self.steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        self.prob, self.beta = prob, beta

    def get_indexes(self, dataset: Any) -> list[int]:
        """Return the images that this sample takes: four or none."""
        if np.random.uniform() >= self.prob:
            return []
        return np.random.randint(0, len(dataset), self.IMAGES).tolist()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample, blended where images were drawn."""
        drawn = results.get('mix_results')
        if not drawn:
            return results
        other = {**drawn[0], 'mix_results': drawn[1:]}
        for step in self.steps:
            other = step(other)
        share = np.random.beta(self.beta, self.beta)
        results['img'] = np.rint(results['img'] * share + other['img'] * (1 - share)).astype(results['img'].dtype)
        results['gt_bboxes'] = results['gt_bboxes'].cat([results['gt_bboxes'], other['gt_bboxes']], 0)
        for key in PARALLEL[1:]:
            results[key] = np.concatenate([results[key], other[key]])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, beta={self.beta}, pipeline={self.steps})'
