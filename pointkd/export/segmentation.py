"""From a segmentation net's config and checkpoint to a folder that a device can run."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import numpy as np
from mmengine.config import Config
from torch import nn

from pointkd.core.files import sha256, write_json
from pointkd.export.describe import versions
from pointkd.export.images import made_up_images, read_images
from pointkd.export.onnx_file import OPSET
from pointkd.export.segmentation_describe import describe_image, describe_labels, describe_profile, describe_windows
from pointkd.export.segmentation_eager import EagerSegmenter
from pointkd.export.segmentation_graph import SegmentationGraph, check_segmentor, write_segmentation
from pointkd.export.segmentation_parity import SegmentationParity, measure_segmentation_parity
from pointkd.export.tensorrt import SCRIPT, build_engine, write_script
from pointkd.runtime.segmentation import SegmentationSideCar
from pointkd.runtime.segmenter import Segmenter
from pointkd.runtime.sidecar import MODEL, SIDE_CAR, FileReference

PARITY = 'parity.json'
IMAGES = 4  # of a folder, compared from the image to the mask
MADE_UP = (1, (270, 480))  # number and size of the made-up ones: the test pipeline may enlarge them to two megapixels

logger = logging.getLogger(__name__)


def export_segmentor(
    model: nn.Module, config: Config, checkpoint: str | Path, out_dir: str | Path, target: str, verify_data: str | Path
) -> SegmentationParity:
    """Export a segmentation net, after proof that ONNX Runtime gives PyTorch's labels.

    Files and promises are those of `pointkd.export.exporter.export`.

    Args:
        model: the net, built, with its weights.
        config: its whole config.
        checkpoint: file of the weights.
        out_dir: folder, created.
        target: 'onnx' or 'tensorrt'.
        verify_data: folder with images to compare on, or 'synthetic' for made-up ones.

    Raises:
        ExportError: the net can't be exported, or the labels differ.
        ConfigError, DataError: from reading the inputs.
        StackError: the engine can't be built here (the other files are written).
    """
    check_segmentor(model)
    synthetic = str(verify_data) == 'synthetic'
    images = made_up_images(*MADE_UP) if synthetic else read_images(verify_data, IMAGES)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix='.export-') as folder:
        side_car = write_segmentation_export(model, config, Path(checkpoint), Path(folder))
        parity = _verified(model, config, Path(folder), images)
        write_json(Path(folder) / PARITY, parity.to_json())
        write_script(side_car, Path(folder))
        for name in (MODEL, SCRIPT, PARITY, SIDE_CAR):  # the side-car last: it vouches for the others
            os.replace(Path(folder) / name, out / name)
    logger.info('exported to %s: %s', out, parity)
    if target == 'tensorrt':
        build_engine(side_car, out)
    return parity


def write_segmentation_export(model: nn.Module, config: Config, checkpoint: Path, folder: Path) -> SegmentationSideCar:
    """Write the ONNX file and its side-car, unverified.

    Args:
        model: net that `check_segmentor` accepts.
        config: its whole config.
        checkpoint: file of its weights.
        folder: existing folder.

    Returns:
        The side-car.
    """
    names, palette = describe_labels(model, config)
    rule, windows = describe_image(model, config), describe_windows(model)
    graph = SegmentationGraph(model)
    write_segmentation(graph, folder / MODEL)
    side_car = SegmentationSideCar(
        model=FileReference(MODEL, sha256(folder / MODEL)),
        checkpoint=FileReference(str(checkpoint), sha256(checkpoint)),
        config=config.pretty_text,
        versions=versions(),
        opset=OPSET,
        parameters=sum(parameter.numel() for parameter in graph.parameters()),
        class_names=names,
        palette=palette,
        image=rule,
        windows=windows,
        threshold=None if graph.threshold is None else float(graph.threshold),
        align_corners=graph.align_corners,
        profile=describe_profile(rule, windows),
    )
    write_json(folder / SIDE_CAR, side_car.to_json())
    return side_car


def _verified(model: nn.Module, config: Config, folder: Path, images: list[np.ndarray]) -> SegmentationParity:
    """Return how near the labels are, if they are near enough."""
    parity = measure_segmentation_parity(EagerSegmenter(model, config), Segmenter(folder), images)
    parity.check()
    return parity
