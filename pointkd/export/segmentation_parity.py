"""Does the export of a segmentation net give the labels of PyTorch?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointkd.core.errors import ExportError
from pointkd.export.images import crops_of
from pointkd.export.segmentation_eager import EagerSegmenter
from pointkd.runtime.segmenter import Segmenter

TOLERANCE_LOGITS = 1e-3
AGREEMENT = 0.9999
END_TO_END = 0.999  # from the image file on, where decoding and resizing may round a grey level otherwise
# Batches that the net itself is compared on: batch, height, width. The odd sizes would show a size that was traced in.
SHAPES = ((1, 256, 512), (2, 192, 320), (1, 225, 321))


@dataclass
class SegmentationParity:
    """What the comparison of an export with PyTorch gave.

    Attributes:
        images: compared from the image to the mask.
        shapes: batch, height and width of the inputs that the net was compared on.
        pixels: compared on these inputs.
        agreement: share of them with the same label.
        max_logit: largest difference of a class score, in proportion where scores exceed 1.
        max_input: largest difference of a prepared image, in grey levels of 0 to 255.
        end_to_end: share of the images' pixels with the same label, from the file on.
    """

    images: int = 0
    shapes: tuple[tuple[int, int, int], ...] = ()
    pixels: int = 0
    agreement: float = 1.0
    max_logit: float = 0.0
    max_input: float = 0.0
    end_to_end: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the content of parity.json."""
        return {
            **vars(self),
            'tolerance': {'agreement': AGREEMENT, 'logits': TOLERANCE_LOGITS, 'end_to_end': END_TO_END},
        }

    def check(self) -> None:
        """Raise unless the export gives PyTorch's labels.

        Raises:
            ExportError: names the stage that differs.
        """
        if not self.max_input <= 1.001:
            raise ExportError(
                f'the export does not give the labels of PyTorch: prepared images differ by {self.max_input:.3g} grey '
                'levels, more than rounding'
            )
        if not self.max_logit <= TOLERANCE_LOGITS or not self.agreement >= AGREEMENT:
            raise ExportError(f'the export does not give the labels of PyTorch: {self}')
        if not self.end_to_end >= END_TO_END:
            raise ExportError(f'the export does not give the masks of PyTorch, though the net itself agrees: {self}')

    def __str__(self) -> str:
        return (
            f'{self.agreement:.4%} of {self.pixels:,} pixels have the same label, class scores differ by up to '
            f'{self.max_logit:.2g}; from the image on {self.end_to_end:.4%}'
        )


def measure_segmentation_parity(
    eager: EagerSegmenter, exported: Segmenter, images: Sequence[np.ndarray]
) -> SegmentationParity:
    """Compare the net on batches of several sizes, and the whole way from image to mask.

    Args:
        eager: the net in PyTorch.
        exported: the same one, exported.
        images: each (H, W, 3) uint8, RGB.

    Returns:
        The differences; judge them with `SegmentationParity.check`.
    """
    parity = SegmentationParity(images=len(images), shapes=SHAPES)
    same = 0
    for crops in crops_of(images, SHAPES):
        values = _normalised(exported, crops)
        reference, ours = eager.logits(values), exported.logits(values)
        difference = np.abs(ours - reference) / np.maximum(np.abs(reference), 1)
        parity.max_logit = max(parity.max_logit, float(difference.max()))
        labels = exported.labels(values)
        same += int((labels == _labels(reference, exported.side_car.threshold)).sum())
        parity.pixels += labels.size
    parity.agreement = same / parity.pixels
    shares = []
    std = np.asarray(exported.side_car.image.std, dtype=np.float32).reshape(1, 3, 1, 1)
    for image in images:
        ours, theirs = exported.prepare(image).values, eager.prepare(image).inputs.numpy()
        parity.max_input = max(parity.max_input, float((np.abs(ours - theirs) * std).max()))
        shares.append(float((exported.predict(image).labels == eager.predict(image).labels).mean()))
    parity.end_to_end = float(np.mean(shares))
    return parity


def _labels(scores: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return the labels (N, H, W) of class scores."""
    if threshold is None:
        return scores.argmax(axis=1)
    return 1 / (1 + np.exp(-scores[:, 0])) > threshold


def _normalised(exported: Segmenter, crops: np.ndarray) -> np.ndarray:
    """Return crops (N, H, W, 3) uint8 as the net takes them, (N, 3, H, W) float32."""
    rule = exported.side_car.image
    ordered = crops if rule.channels == 'rgb' else crops[..., ::-1]
    mean, std = (np.asarray(values, dtype=np.float32) for values in (rule.mean, rule.std))
    return np.ascontiguousarray(((ordered - mean) / std).transpose(0, 3, 1, 2), dtype=np.float32)
