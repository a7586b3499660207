"""`SlicedDetector`: any mmdet detector, predicting on overlapping tiles of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional

from pointkd.core.errors import ConfigError
from pointkd.core.tiles import check_tiling, tile_image
from pointkd.ops.tile_merge import check_merging, merge_tile_boxes


@dataclass(frozen=True)
class TileSettings:
    """How an image is cut and its boxes joined.

    Attributes:
        tile: side of a tile, pixels of the image as the pipeline gives it.
        overlap: share of a side that neighbours repeat, at least; as large as the objects that are to be seen whole.
        scale: how much tiles are magnified before the detector sees them.
        whole: longer side of the whole image, shrunk, that is looked at too, for objects larger than a tile; 0 for not.
        batch: tiles that go through the detector at once.
        threshold, measure, mode: see `merge_tile_boxes`.
        max_per_image: boxes that are kept of an image; the benchmark counts 500.

    Raises:
        ConfigError: a setting is out of its range.
    """

    tile: int = 640
    overlap: float = 0.2
    scale: float = 1.0
    whole: int = 0
    batch: int = 4
    threshold: float = 0.5
    measure: str = 'ios'
    mode: str = 'nmm'
    max_per_image: int = 500

    def __post_init__(self) -> None:
        check_tiling(self.tile, self.overlap)
        check_merging(self.threshold, self.measure, self.mode)
        for name, least in (('whole', 0), ('batch', 1), ('max_per_image', 1)):
            if getattr(self, name) < least:
                raise ConfigError(f'SlicedDetector: {name} must be {least} or more, got {getattr(self, name)!r}')
        if not self.scale > 0:
            raise ConfigError(f'SlicedDetector: scale must be above 0, got {self.scale!r}')


@MODELS.register_module()
class SlicedDetector(BaseModel):
    """A detector that predicts on tiles and joins their boxes; it trains as the detector itself.

    It has exactly the detector's modules, under the detector's names, so checkpoints of the plain detector load into
    it and the other way round. In a config:

        model = dict(type='SlicedDetector', detector=dict(type='RetinaNet', ...), tile=640, overlap=0.2)

    The detector's own `max_per_img` holds for a tile. Only boxes are joined: masks of instance segmentation are lost.

    Args:
        detector: model config of an mmdet detector.
        settings: fields of `TileSettings`.

    Raises:
        ConfigError: see `TileSettings`.
    """

    data_preprocessor: nn.Module

    def __init__(self, detector: Mapping[str, Any], **settings: Any) -> None:
        network = MODELS.build(ConfigDict(detector)) if isinstance(detector, Mapping) else detector
        super().__init__(data_preprocessor=network.data_preprocessor)
        self.settings = TileSettings(**settings)
        self.__dict__['detector'] = network  # not a child: its children are ours
        self._modules = network._modules
        self._parameters = network._parameters
        self._buffers = network._buffers

    def forward(self, inputs: Tensor, data_samples: list[DetDataSample] | None = None, mode: str = 'tensor') -> Any:
        """Run the detector; in `predict` mode on tiles.

        Args:
            inputs: (B, C, H, W) as the data preprocessor gives them.
            data_samples: one an image; `img_shape` tells what of the input is image and not padding.
            mode: `'loss'`, `'predict'` or `'tensor'`.

        Returns:
            What the detector returns in this mode.
        """
        if mode != 'predict':
            return self.detector(inputs, data_samples, mode=mode)
        return self.predict(inputs, data_samples or [])

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Return the samples with `pred_instances`: boxes of the whole image, by falling score.

        Args:
            batch_inputs: (B, C, H, W).
            batch_data_samples: B samples.
            rescale: give boxes in pixels of the original image, where the pipeline has resized it.
        """
        for image, sample in zip(batch_inputs, batch_data_samples, strict=True):
            height, width = sample.img_shape[:2]
            found = self._predict_image(image[:, :height, :width], sample)
            if rescale and sample.get('scale_factor') is not None:
                found.bboxes = found.bboxes / found.bboxes.new_tensor(sample.scale_factor).repeat(2)
            sample.pred_instances = found
        return list(batch_data_samples)

    def init_weights(self) -> None:
        """Initialise the detector."""
        self.detector.init_weights()

    def train(self, mode: bool = True) -> SlicedDetector:
        """Set the detector's mode (its own rules for frozen layers apply)."""
        self.training = mode
        self.detector.train(mode)
        return self

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            detector = self.__dict__.get('detector')
            if detector is None:
                raise
            return getattr(detector, name)

    def _set_device(self, device: torch.device) -> None:
        super()._set_device(device)
        self.detector._set_device(device)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.detector._load_from_state_dict(*args, **kwargs)

    def _predict_image(self, image: Tensor, sample: DetDataSample) -> InstanceData:
        """Return the joined boxes of one image (C, H, W), in its pixels."""
        settings = self.settings
        height, width = image.shape[1:]
        tiles = tile_image(width, height, settings.tile, settings.overlap)
        parts: list[InstanceData] = []
        for start in range(0, len(tiles), settings.batch):
            chosen = tiles[start : start + settings.batch].tolist()
            cut = torch.stack([image[:, top:bottom, left:right] for left, top, right, bottom in chosen])
            for (left, top, _, _), found in zip(chosen, self._look(cut, settings.scale, sample), strict=True):
                shift = found.bboxes.new_tensor([left, top, left, top])
                parts.append(_numbered(found, found.bboxes + shift, len(parts)))
        if settings.whole and len(tiles) > 1:
            found = self._look(image[None], min(1.0, settings.whole / max(height, width)), sample)[0]
            parts.append(_numbered(found, found.bboxes, len(parts)))
        every = InstanceData.cat(parts)
        boxes, scores, labels = merge_tile_boxes(
            every.bboxes,
            every.scores,
            every.labels,
            every.tiles,
            threshold=settings.threshold,
            measure=settings.measure,
            mode=settings.mode,
        )
        kept = slice(0, settings.max_per_image)
        return InstanceData(bboxes=boxes[kept], scores=scores[kept], labels=labels[kept])

    def _look(self, images: Tensor, scale: float, sample: DetDataSample) -> list[InstanceData]:
        """Return the detector's boxes on images (T, C, H, W) of one size, in their pixels."""
        height, width = images.shape[2:]
        if scale != 1.0:
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            images = functional.interpolate(images, size, mode='bilinear', align_corners=False, antialias=scale < 1.0)
        shape = tuple(images.shape[2:])
        padded = _padded(images, self.data_preprocessor)
        meta = {
            **sample.metainfo,
            'img_shape': shape,
            'ori_shape': (height, width),
            'pad_shape': tuple(padded.shape[2:]),
            'batch_input_shape': tuple(padded.shape[2:]),
            'scale_factor': (shape[1] / width, shape[0] / height),
        }
        samples = [DetDataSample(metainfo=meta) for _ in range(len(images))]
        return [found.pred_instances for found in self.detector.predict(padded, samples, rescale=True)]


def _numbered(found: InstanceData, boxes: Tensor, tile: int) -> InstanceData:
    """Return predictions with their boxes replaced and the number of their tile."""
    number = torch.full((len(boxes),), tile, dtype=torch.int64, device=boxes.device)
    return InstanceData(bboxes=boxes, scores=found.scores, labels=found.labels, tiles=number)


def _padded(images: Tensor, preprocessor: nn.Module) -> Tensor:
    """Return images padded at the right and below as the detector's data preprocessor does it."""
    divisor = int(getattr(preprocessor, 'pad_size_divisor', 1))
    height, width = images.shape[2:]
    below, right = -height % divisor, -width % divisor
    if not (below or right):
        return images
    return functional.pad(images, (0, right, 0, below), value=float(getattr(preprocessor, 'pad_value', 0)))
