"""An exported segmentation net: image in, mask out, with no training framework."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pointkd.core.check import check_shape
from pointkd.runtime.array_session import open_arrays
from pointkd.runtime.images import resize_bilinear, resize_scores
from pointkd.runtime.segmentation import INPUT, ImageRule, SegmentationSideCar, read_segmentation


@dataclass(frozen=True)
class Mask:
    """Which class each pixel of an image belongs to.

    Attributes:
        labels: (H, W) uint8, index into `class_names`, at the image's own size.
        class_names: every class of the net.
        palette: R, G, B by label.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def shares(self) -> dict[str, float]:
        """Return the share of pixels of each class that is there, the largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.class_names))
        order = [int(label) for label in np.argsort(-counts, kind='stable') if counts[label]]
        return {self.class_names[label]: float(counts[label] / self.labels.size) for label in order}


class Prepared(NamedTuple):
    """An image as the net takes it.

    Attributes:
        values: (1, 3, H', W') float32.
        size: height and width without the padding.
        own_size: height and width of the image itself.
    """

    values: np.ndarray
    size: tuple[int, int]
    own_size: tuple[int, int]


class Segmenter:
    """Runs what `pointkd export` wrote of a segmentation net.

    Attributes:
        side_car: every constant of the export.

    Example:
        segmenter = Segmenter('work_dirs/pspnet/export')
        mask = segmenter.predict(read_image('street.png'))
    """

    def __init__(
        self,
        export_dir: str | Path,
        backend: str = 'onnxruntime',
        precision: str = 'f32',
        *,
        threads: int | None = None,
    ) -> None:
        """Load an export (arguments and errors as `pointkd.runtime.detector.Detector`)."""
        self.side_car: SegmentationSideCar = read_segmentation(export_dir)
        self._session = open_arrays(Path(export_dir) / self.side_car.model.file, backend, precision, threads)

    def predict(self, image: np.ndarray) -> Mask:
        """Find the class of each pixel.

        Args:
            image: (H, W, 3) uint8, RGB.

        Returns:
            The mask at the image's size. An image that the rules resize is segmented at that size, and its class scores
            are resized to the image.

        Raises:
            ShapeError: it is no image of three channels.
        """
        prepared = self.prepare(image)
        return self.decode(self.network(prepared), prepared)

    def prepare(self, image: np.ndarray) -> Prepared:
        """Resize, normalise and pad an image (first stage of `predict`)."""
        return prepare(image, self.side_car.image)

    def network(self, prepared: Prepared) -> np.ndarray:
        """Run the net (second stage).

        Returns:
            Labels (H', W') uint8 where they can be had from the graph; class scores (C, H', W') float32 where windows
            must be put together or the scores must be resized to the image.
        """
        if self.side_car.windows is not None:
            return self._slide(prepared.values)[0]
        if prepared.size == prepared.own_size:
            return self.labels(prepared.values)[0]
        return self.logits(prepared.values)[0]

    def decode(self, output: np.ndarray, prepared: Prepared) -> Mask:
        """Cut the padding off and give the mask the image's size (last stage)."""
        inside = output[..., : prepared.size[0], : prepared.size[1]]
        if inside.ndim == 3:
            inside = self._decide(resize_scores(inside, prepared.own_size, self.side_car.align_corners))
        return Mask(inside, self.side_car.class_names, self.side_car.palette)

    def logits(self, values: np.ndarray) -> np.ndarray:
        """Return the class scores (N, C, H, W) of prepared images (N, 3, H, W), each taken whole."""
        return self._session({INPUT: values}, ['logits'])[0]

    def labels(self, values: np.ndarray) -> np.ndarray:
        """Return the labels (N, H, W) uint8 of prepared images (N, 3, H, W), each taken whole."""
        return self._session({INPUT: values}, ['labels'])[0]

    def _slide(self, values: np.ndarray) -> np.ndarray:
        """Return class scores (N, C, H, W), the mean over the windows that cover a pixel."""
        assert self.side_car.windows is not None  # the caller checked
        height, width = values.shape[2:]
        total, count = None, np.zeros((height, width), dtype=np.float32)
        for rows, columns in self.side_car.windows.places(height, width):
            scores = self.logits(np.ascontiguousarray(values[:, :, rows, columns]))
            if total is None:
                total = np.zeros((*scores.shape[:2], height, width), dtype=np.float32)
            total[:, :, rows, columns] += scores
            count[rows, columns] += 1
        assert total is not None  # there is always a window
        return total / count

    def _decide(self, scores: np.ndarray) -> np.ndarray:
        """Return the labels (H, W) uint8 of class scores (C, H, W)."""
        if self.side_car.threshold is None:
            return scores.argmax(axis=0).astype(np.uint8)
        odds = self.side_car.threshold / (1 - self.side_car.threshold)  # sigmoid(x) > t as x > log(t / (1 - t))
        return (scores[0] > np.log(odds)).astype(np.uint8)


def prepare(image: np.ndarray, rule: ImageRule) -> Prepared:
    """Turn an image (H, W, 3) uint8, RGB, into a net's input."""
    check_shape(image, 'H W 3', 'image')
    height, width = image.shape[:2]
    resized = resize_bilinear(image, rule.resized(height, width))
    ordered = resized if rule.channels == 'rgb' else resized[..., ::-1]
    values = (ordered.astype(np.float32) - np.asarray(rule.mean, dtype=np.float32)) / np.asarray(
        rule.std, dtype=np.float32
    )
    size = resized.shape[:2]
    padding = [(0, -length % rule.size_divisor) for length in size]
    padded = np.pad(values, [*padding, (0, 0)], constant_values=rule.pad_value)
    return Prepared(np.ascontiguousarray(padded.transpose(2, 0, 1))[None], (size[0], size[1]), (height, width))
