"""The detector: backbone, neck and head of one scale."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors.single_stage import SingleStageDetector
from mmdet.registry import MODELS
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class YOLOv8(SingleStageDetector):
    """mmdet's single-stage detector with one scale for all parts.

    Args:
        backbone, neck, bbox_head: as in mmdet.
        scale: of each part that names none: `'n'`, `'s'`, `'m'`, `'l'`, `'x'`, or see `Scale.of`.
        channels_last: whether maps lie channels-last in memory, which is faster on most processors.
        settings: `train_cfg`, `test_cfg`, `data_preprocessor`, `init_cfg` as in mmdet.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any,
        bbox_head: Any,
        scale: Any = None,
        channels_last: bool = False,
        **settings: Any,
    ) -> None:
        shared = {} if scale is None else {'scale': scale}
        super().__init__(
            backbone={**shared, **backbone},
            neck={**shared, **neck},
            bbox_head={**shared, **bbox_head},
            **settings,
        )
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the neck from images (N, 3, H, W)."""
        return super().extract_feat(batch_inputs.contiguous(memory_format=self.memory_format))

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> tuple[Any, ...]:
        """Return the raw outputs of the head; boxes and scores while a graph is traced for export."""
        if torch.jit.is_tracing() or torch.compiler.is_exporting():
            return self.bbox_head.decoded(self.extract_feat(batch_inputs))
        return super()._forward(batch_inputs, batch_data_samples)
