"""Single-stage image detectors as one graph of standard operators: an image in, the head's outputs out."""

from __future__ import annotations

import copy
import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from pointkd.core.errors import ExportError
from pointkd.core.files import sha256, write_json
from pointkd.export.describe import parameter_count, versions
from pointkd.export.image_parity import (
    INPUT,
    ImageParity,
    head_outputs,
    made_up_images,
    measure_parity,
    read_images,
)
from pointkd.export.onnx_file import OPSET, check_onnx
from pointkd.export.support import is_a
from pointkd.io.build import build_model, model_config
from pointkd.io.images import resized_to
from pointkd.io.metainfo import read_labels
from pointkd.runtime.sidecar import MODEL, SIDE_CAR

FORMAT = 'pointkd-image-maps'
VERSION = 1
PARITY = 'parity.json'

logger = logging.getLogger(__name__)


class ImageGraph(nn.Module):
    """A single-stage detector for one image at a time, normalisation included, ready to be traced.

    Args:
        model: detector that `image_obstacle` finds nothing against; copied.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        self.order = [2, 1, 0] if preprocessor._channel_conversion else [0, 1, 2]
        mean, std = (getattr(preprocessor, name, None) for name in ('mean', 'std'))
        self.register_buffer('mean', torch.zeros(3, 1, 1) if mean is None else mean.detach().clone())
        self.register_buffer('std', torch.ones(3, 1, 1) if std is None else std.detach().clone())
        self.detector = copy.deepcopy(model).requires_grad_(False).eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the head's outputs.

        Args:
            images: (1, 3, H, W) float32 from 0 to 255, channels in the order that the config's pipeline loads (BGR).
        """
        return tuple(head_outputs(self.detector, (images[:, self.order] - self.mean) / self.std).values())


def export_images(
    config: Config,
    checkpoint: str | Path,
    out_dir: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    verify_data: str | Path = 'synthetic',
) -> ImageParity:
    """Export a single-stage detector of mmdet, after proof that ONNX Runtime gives PyTorch's outputs.

    Writes model.onnx, model.json (sizes, classes, names of the outputs) and parity.json. Nothing takes its final name
    before the proof.

    Args:
        config: its whole config.
        checkpoint: its trained weights.
        out_dir: folder, created.
        image_size: height, width of the images; by default what the test pipeline resizes to. Rounded up to the
            padding of the data preprocessor.
        verify_data: folder of images to compare on, or 'synthetic' for made-up ones.

    Returns:
        How near the outputs are.

    Raises:
        ExportError: the detector can't be exported, or its outputs differ.
        ConfigError, CheckpointError, DataError: from reading the inputs.
    """
    model = build_model(config, checkpoint)
    if obstacle := image_obstacle(model):
        raise ExportError(f'{type(model).__name__} can not be exported: {obstacle}')
    step = int(getattr(model.data_preprocessor, 'pad_size_divisor', 1))
    height, width = (-(-side // step) * step for side in image_size or resized_to(config))
    synthetic = str(verify_data) == 'synthetic'
    pictures = made_up_images(height, width) if synthetic else read_images(verify_data, height, width)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix='.export-') as folder:
        side_car = write_image_export(model, config, Path(checkpoint), Path(folder), (height, width))
        parity = measure_parity(model, Path(folder) / MODEL, pictures)
        parity.check()
        write_json(Path(folder) / PARITY, parity.to_json())
        write_json(Path(folder) / SIDE_CAR, side_car)
        for name in (MODEL, PARITY, SIDE_CAR):  # the side-car last: it vouches for the others
            os.replace(Path(folder) / name, out / name)
    logger.info('exported to %s: %s', out, parity)
    return parity


def is_image_config(config: Config) -> bool:
    """Return whether a config's net is an image detector of mmdet, told by its data preprocessor."""
    kind = str((model_config(config).get('data_preprocessor') or {}).get('type'))
    return kind.rpartition('.')[2] == 'DetDataPreprocessor'


def image_obstacle(model: nn.Module) -> str:
    """Return what is in the way of an export, or ''."""
    if not is_a(model, 'SingleStageDetector'):
        return 'only single-stage detectors are supported; a second stage cuts regions out of the maps'
    if not is_a(model.bbox_head, 'BaseDenseHead') or is_a(model.bbox_head, 'DETRHead'):
        return f'bbox_head is {type(model.bbox_head).__name__}, expected a dense head'
    return ''


def write_image_export(
    model: nn.Module, config: Config, checkpoint: Path, folder: Path, size: tuple[int, int]
) -> dict[str, Any]:
    """Write the ONNX file, unverified, and return the content of its side-car.

    Args:
        model: detector that `image_obstacle` finds nothing against, in evaluation mode.
        config: its whole config.
        checkpoint: file of its weights.
        folder: existing folder.
        size: height, width of the images.
    """
    file = folder / MODEL
    outputs = _write_onnx(ImageGraph(model), size, file)
    return {
        'format': FORMAT,
        'version': VERSION,
        'model': {'file': MODEL, 'sha256': sha256(file)},
        'checkpoint': {'file': str(checkpoint), 'sha256': sha256(checkpoint)},
        'config': config.pretty_text,
        'versions': versions(),
        'opset': OPSET,
        'parameters': parameter_count(model),
        'class_names': read_labels(config).classes,
        'input': {
            'name': INPUT,
            'shape': [1, 3, *size],
            'range': [0, 255],
            'channels': 'BGR',
            'padding': 'right, bottom',
        },
        'outputs': outputs,
    }


def _write_onnx(graph: ImageGraph, size: tuple[int, int], path: Path) -> list[dict[str, Any]]:
    """Trace the graph for one size and write it; return name and shape of each output."""
    images = torch.zeros(1, 3, *size)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer's remarks on constants, and on its own age
        outputs = head_outputs(graph.detector, images)
        names = list(outputs)
        try:
            torch.onnx.export(
                graph, (images,), str(path), input_names=[INPUT], output_names=names, opset_version=OPSET, dynamo=False
            )
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise ExportError(f'torch can not write this network as ONNX opset {OPSET}: {error}') from error
    check_onnx(path)
    return [{'name': name, 'shape': list(values.shape)} for name, values in outputs.items()]
