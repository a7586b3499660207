"""The gate of an image detector's export: the same outputs as PyTorch, on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pointkd.core.errors import ConfigError, DataError, ExportError

INPUT = 'images'  # name of the graph's input
PARTS = ('scores', 'boxes', 'centres')  # what a dense head gives, one list of maps each
TOLERANCE = 1e-3  # of an output, in proportion where it exceeds 1
PICTURES = 5  # as many are compared
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


@dataclass
class ImageParity:
    """How near an exported image detector is to PyTorch.

    Attributes:
        images: how many were compared.
        outputs: largest difference of each output, in proportion where values exceed 1.
    """

    images: int = 0
    outputs: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f'{self.images} images, outputs differ by up to {max(self.outputs.values(), default=0.0):.2g}'

    def to_json(self) -> dict[str, Any]:
        """Return the content of parity.json."""
        return {**asdict(self), 'tolerance': TOLERANCE}

    def add(self, name: str, ours: np.ndarray, reference: np.ndarray) -> None:
        """Take in one output of one image."""
        if ours.shape != reference.shape:
            raise ExportError(f'{name}: the export gives {ours.shape}, PyTorch {reference.shape}')
        apart = np.abs(ours - reference) / np.maximum(np.abs(reference), 1)
        self.outputs[name] = float(np.maximum(self.outputs.get(name, 0.0), apart.max()))  # keeps NaN

    def check(self) -> None:
        """Raise unless the export gives PyTorch's outputs.

        Raises:
            ExportError: names the output that differs most.
        """
        for name, apart in self.outputs.items():
            if not apart <= TOLERANCE:
                raise ExportError(f'the export does not give the outputs of PyTorch: {name} differs by {apart:.2g}')


def head_outputs(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Return what a detector's head gives for normalised images, by name.

    A head that can decode in the graph (`decoded`, as YOLOv8's) gives `boxes` and `scores`; any other its raw maps,
    `scores_0`, `boxes_0`, ... by level.
    """
    features, head = model.extract_feat(inputs), model.bbox_head
    if hasattr(head, 'decoded'):
        boxes, scores = head.decoded(features)
        return {'boxes': boxes, 'scores': scores}
    parts = head(features)
    names = [*PARTS, *(f'part{number}' for number in range(len(PARTS), len(parts)))]
    return {
        f'{name}_{level}': values
        for name, maps in zip(names, parts, strict=False)
        for level, values in enumerate(maps)
        if isinstance(values, Tensor)
    }


def measure_parity(model: nn.Module, file: Path, pictures: Sequence[np.ndarray]) -> ImageParity:
    """Compare an ONNX file with the detector behind its own data preprocessor.

    Args:
        model: the detector.
        file: its export.
        pictures: each (H, W, 3) uint8, of the size that the file was made for.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    parity = ImageParity(len(pictures))
    for picture in pictures:
        image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        with torch.no_grad():
            batch = model.data_preprocessor({'inputs': [image], 'data_samples': None}, training=False)
            reference = head_outputs(model, batch['inputs'])
        found = session.run(list(reference), {INPUT: image[None].float().numpy()})
        for (name, values), ours in zip(reference.items(), found, strict=True):
            parity.add(name, ours, values.numpy())
    return parity


def made_up_images(height: int, width: int, count: int = PICTURES, seed: int = 0) -> list[np.ndarray]:
    """Return pictures (H, W, 3) uint8 of coloured rectangles on a ramp, with noise."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        ramp = np.linspace(0, 200, width)[None, :, None] * random.random((1, 1, 3))
        picture = np.broadcast_to(ramp, (height, width, 3)).copy()
        for _ in range(6):
            y, x = random.integers(0, height), random.integers(0, width)
            picture[y : y + height // 4, x : x + width // 4] = random.integers(0, 256, 3)
        pictures.append(np.clip(picture + random.normal(0, 8, picture.shape), 0, 255).astype(np.uint8))
    return pictures


def read_images(folder: Any, height: int, width: int, count: int = PICTURES) -> list[np.ndarray]:
    """Return the first images of a folder, resized to one size, (H, W, 3) uint8 BGR.

    Raises:
        ConfigError: no such folder.
        DataError: no image in it, or one that can't be read.
    """
    import cv2

    if not Path(folder).is_dir():
        raise ConfigError(f'{folder}: no such folder; give a folder of images, or synthetic')
    files = sorted(path for path in Path(folder).rglob('*') if path.suffix.lower() in SUFFIXES)[:count]
    if not files:
        raise DataError(f'{folder}: no image ({", ".join(SUFFIXES)}) in it')
    pictures = []
    for file in files:
        picture = cv2.imread(str(file))
        if picture is None:
            raise DataError(f'{file}: can not be read as an image')
        pictures.append(cv2.resize(picture, (width, height)))
    return pictures
