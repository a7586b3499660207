"""A segmentation net of mmseg behind the same calls as an exported one, to compare, to predict and to time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from pointkd.core.check import check_shape
from pointkd.export.segmentation_describe import describe_labels, test_pipeline
from pointkd.runtime.segmenter import Mask


class SegmentationBatch(NamedTuple):
    """One image as mmseg's preprocessor leaves it: `inputs` (1, 3, H, W), and its data sample."""

    inputs: torch.Tensor
    samples: list[Any]


class EagerSegmenter:
    """Runs a segmentation net in PyTorch; `predict` is mmseg's own, from the test pipeline's resizing to `predict`."""

    def __init__(self, model: nn.Module, config: Config) -> None:
        """Wrap a net.

        Args:
            model: built, in evaluation mode.
            config: its config, for labels and the test pipeline.
        """
        self.model = model
        self.class_names, self.palette = describe_labels(model, config)
        self._steps = _own_steps(config)

    def predict(self, image: np.ndarray) -> Mask:
        """Find the class of each pixel (see `pointkd.runtime.segmenter.Segmenter.predict`)."""
        batch = self.prepare(image)
        return self.decode(self.network(batch), batch)

    def prepare(self, image: np.ndarray) -> SegmentationBatch:
        """Run the test pipeline from the loaded image on, and the data preprocessor."""
        check_shape(image, 'H W 3', 'image')
        content: Any = {'img': np.ascontiguousarray(image[..., ::-1]), 'ori_shape': image.shape[:2]}
        content |= {'img_shape': image.shape[:2], 'img_path': ''}
        for step in self._steps:
            content = step(content)
        raw = {'inputs': [content['inputs']], 'data_samples': [content['data_samples']]}
        batch = self.model.data_preprocessor(raw, training=False)
        return SegmentationBatch(batch['inputs'], batch['data_samples'])

    def network(self, batch: SegmentationBatch) -> torch.Tensor:
        """Return the class scores (1, C, H, W) of an image, from sliding windows where the net is tested with them."""
        with torch.no_grad():
            metas = [sample.metainfo for sample in batch.samples]
            return self.model.inference(batch.inputs, metas)

    def decode(self, scores: torch.Tensor, batch: SegmentationBatch) -> Mask:
        """Return the labels at the image's size."""
        with torch.no_grad():
            sample = self.model.postprocess_result(scores, batch.samples)[0]
        labels = sample.pred_sem_seg.data[0].numpy().astype(np.uint8)
        return Mask(labels, self.class_names, self.palette)

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Return the class scores (N, C, H, W) of prepared images (N, 3, H, W), each taken whole."""
        image = torch.from_numpy(values)
        with torch.no_grad():
            return self.model.encode_decode(image, [{'img_shape': image.shape[2:]}] * len(image)).numpy()


def _own_steps(config: Config) -> list[Any]:
    """Build the steps of the test pipeline behind loading."""
    import mmseg.datasets.transforms  # noqa: F401 - registers them
    from mmengine.registry import DefaultScope
    from mmseg.registry import TRANSFORMS

    blocks = [dict(block) for block in test_pipeline(config)]
    loading = ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')
    kept = [block for block in blocks if str(block['type']).rpartition('.')[2] not in loading]
    with DefaultScope.overwrite_default_scope('mmseg'):  # another runner of this process may have left its own
        return [TRANSFORMS.build(block) for block in [*kept, dict(type='PackSegInputs')]]
