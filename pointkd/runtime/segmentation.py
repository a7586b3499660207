"""The side-car of an exported segmentation net: labels, and how an image becomes its input and its output a mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointkd.core.errors import ConfigError
from pointkd.runtime.sidecar import FileReference, check_format, check_model, read_content, read_sections

FORMAT = 'pointkd-segmentation'
VERSION = 1
INPUT = 'image'
OUTPUTS = ('logits', 'labels')


@dataclass(frozen=True)
class ImageRule:
    """How an image becomes the input of a net.

    Attributes:
        mean: subtracted from each channel, in the order of `channels`.
        std: each channel is divided by it afterwards.
        channels: 'rgb' or 'bgr', the order that the net takes.
        resize: width and height that images are resized to, None for as they are.
        keep_ratio: fit into a box of this size (long side to long side) instead of filling it.
        size_divisor: the input is padded at its right and lower end to multiples of it.
        pad_value: what it is padded with, after normalisation.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: str
    resize: tuple[int, int] | None
    keep_ratio: bool
    size_divisor: int
    pad_value: float

    def __post_init__(self) -> None:
        if self.channels not in ('rgb', 'bgr'):
            raise ConfigError(f"channels must be 'rgb' or 'bgr', got {self.channels!r}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError('mean and std need three numbers each, std above 0')
        if self.size_divisor < 1 or (self.resize is not None and min(self.resize) < 1):
            raise ConfigError('size_divisor and resize must be at least 1')

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that an image is resized to."""
        if self.resize is None:
            return height, width
        if not self.keep_ratio:
            return self.resize[1], self.resize[0]
        factor = min(max(self.resize) / max(height, width), min(self.resize) / min(height, width))
        return int(height * factor + 0.5), int(width * factor + 0.5)


@dataclass(frozen=True)
class Windows:
    """Sliding windows: height and width of each, and the step from one to the next."""

    crop: tuple[int, int]
    stride: tuple[int, int]

    def places(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """Return rows and columns of the windows that cover an image; the last ones end at its edge."""
        rows, columns = (
            _starts(size, crop, stride)
            for size, crop, stride in zip((height, width), self.crop, self.stride, strict=True)
        )
        return [
            (slice(y, min(y + self.crop[0], height)), slice(x, min(x + self.crop[1], width)))
            for y in rows
            for x in columns
        ]


def _starts(size: int, crop: int, stride: int) -> list[int]:
    """Return where the windows along one side begin."""
    count = max(size - crop + stride - 1, 0) // stride + 1
    return [max(min(number * stride + crop, size) - crop, 0) for number in range(count)]


@dataclass(frozen=True)
class SizeProfile:
    """Shapes (N, H, W) that an engine is built for: the smallest, the usual, the largest."""

    min: tuple[int, int, int]
    opt: tuple[int, int, int]
    max: tuple[int, int, int]


@dataclass(frozen=True)
class SegmentationSideCar:
    """Everything about an exported segmentation net but its weights.

    Attributes:
        model: the ONNX file.
        checkpoint: the weights it was made from.
        config: text of the training config, resolved.
        versions: version by package, of the export.
        opset: ONNX operator set.
        parameters: numbers that were trained, without auxiliary heads.
        class_names: by label.
        palette: R, G, B by label.
        image: how an image becomes the input.
        windows: sliding windows; None where the image is taken whole.
        threshold: of a net with one channel for two classes, on the sigmoid; None where the largest logit wins.
        align_corners: how class scores are resized.
        profile: shapes an engine is built for.
    """

    model: FileReference
    checkpoint: FileReference
    config: str
    versions: dict[str, str]
    opset: int
    parameters: int
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    image: ImageRule
    windows: Windows | None
    threshold: float | None
    align_corners: bool
    profile: SizeProfile
    format: str = field(default=FORMAT)
    version: int = field(default=VERSION)

    def __post_init__(self) -> None:
        if len(self.palette) != len(self.class_names):
            raise ConfigError(f'{len(self.class_names)} class names, but {len(self.palette)} colours')
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f'threshold must lie between 0 and 1, got {self.threshold}')

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        content = dataclasses.asdict(self)
        return {key: content.pop(key) for key in ('format', 'version')} | content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], where: str) -> SegmentationSideCar:
        """Build from the content of a file.

        Args:
            content: parsed JSON.
            where: how messages call the file.

        Raises:
            ExportError: another format or version, a missing or unknown field, a value that makes no sense.
        """
        check_format(content, FORMAT, VERSION, where)
        sections: dict[str, type] = {'model': FileReference, 'checkpoint': FileReference, 'image': ImageRule}
        sections['profile'] = SizeProfile
        if content.get('windows') is not None:
            sections['windows'] = Windows
        return read_sections(cls, sections, content, where)


def read_segmentation(export_dir: str | Path) -> SegmentationSideCar:
    """Read the side-car of a segmentation export and check the ONNX file beside it.

    Raises:
        ExportError: no such export there, or a damaged one.
    """
    content, where = read_content(export_dir)
    side_car = SegmentationSideCar.from_json(content, where)
    check_model(export_dir, side_car.model)
    return side_car


def is_segmentation(export_dir: str | Path) -> bool:
    """Return whether a folder holds the export of a segmentation net.

    Raises:
        ExportError: there is no export.
    """
    return read_content(export_dir)[0].get('format') == FORMAT
