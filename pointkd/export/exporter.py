"""From a config and a checkpoint to a folder that a device can run."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from torch import nn

from pointkd.core.errors import ConfigError
from pointkd.core.files import sha256, write_json
from pointkd.export.clouds import made_up_clouds, read_clouds
from pointkd.export.describe import (
    class_names,
    describe_anchors,
    describe_decoding,
    describe_voxels,
    parameter_count,
    versions,
)
from pointkd.export.detection import export_images, is_image_config
from pointkd.export.eager import EagerDetector
from pointkd.export.graph import PillarGraph
from pointkd.export.image_parity import ImageParity
from pointkd.export.onnx_file import OPSET, sample_pillars, write_onnx
from pointkd.export.parity import Parity, measure_parity
from pointkd.export.segmentation import export_segmentor
from pointkd.export.segmentation_parity import SegmentationParity
from pointkd.export.support import check_exportable, is_a
from pointkd.export.tensorrt import SCRIPT, build_engine, write_script
from pointkd.io.build import build_model
from pointkd.io.config import load_config
from pointkd.runtime.detector import Detector
from pointkd.runtime.sidecar import MODEL, SIDE_CAR, FileReference, Profile, SideCar

PARITY = 'parity.json'
CLOUDS = 20  # the gate compares boxes on so many

logger = logging.getLogger(__name__)


def export(
    config: str | Path | Config,
    checkpoint: str | Path,
    out_dir: str | Path,
    *,
    target: str = 'onnx',
    verify_data: str | Path = 'synthetic',
    image_size: tuple[int, int] | None = None,
) -> Parity | SegmentationParity | ImageParity:
    """Export a net, after proof that ONNX Runtime gives PyTorch's boxes, labels or outputs.

    PointPillars and segmentation nets: writes model.onnx, model.json (every constant), parity.json and build_engine.sh;
    for TensorRT the engine too. Image detectors of one stage: model.onnx, model.json and parity.json. Nothing takes
    its final name before the proof: a failed export leaves what stood there.

    Args:
        config: config file, or a loaded config.
        checkpoint: its trained weights.
        out_dir: folder, created.
        target: 'onnx' or 'tensorrt'.
        verify_data: folder with point files (or images) to compare on, or 'synthetic' for made-up ones.
        image_size: height, width, for image detectors; by default what the test pipeline resizes to.

    Returns:
        How near the boxes (labels, outputs) are.

    Raises:
        ExportError: the detector can't be exported, or the boxes differ (the stage is named).
        ConfigError, CheckpointError, DataError: from reading the inputs.
        StackError: the engine can't be built here (the other files are written).
    """
    if target not in ('onnx', 'tensorrt'):
        raise ConfigError(f"target {target!r}: choose 'onnx' or 'tensorrt'")
    settings = config if isinstance(config, Config) else load_config(config, pretrained=False)
    if is_image_config(settings):
        if target != 'onnx':
            raise ConfigError('--to tensorrt: not for image detectors so far; build the engine from the ONNX file')
        return export_images(settings, checkpoint, out_dir, image_size=image_size, verify_data=verify_data)
    if image_size:
        raise ConfigError('--image-size: only for image detectors')
    model = build_model(settings, checkpoint)
    if is_a(model, 'BaseSegmentor') and hasattr(model, 'decode_head'):
        return export_segmentor(model, settings, checkpoint, out_dir, target, verify_data)
    check_exportable(model)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix='.export-') as folder:
        clouds = _verification_clouds(model, verify_data)
        side_car = write_export(model, settings, Path(checkpoint), Path(folder), clouds)
        parity = measure_parity(EagerDetector(model, settings), Detector(folder), clouds)
        parity.check()
        write_json(Path(folder) / PARITY, parity.to_json())
        write_script(side_car, Path(folder))
        for name in (MODEL, SCRIPT, PARITY, SIDE_CAR):  # the side-car last: it vouches for the others
            os.replace(Path(folder) / name, out / name)
    logger.info('exported to %s: %s', out, parity.result)
    if target == 'tensorrt':
        build_engine(side_car, out)
    return parity


def write_export(
    model: nn.Module, config: Config, checkpoint: Path, folder: Path, clouds: Sequence[np.ndarray]
) -> SideCar:
    """Write the ONNX file and its side-car, unverified.

    Args:
        model: detector that `check_exportable` accepts.
        config: its whole config.
        checkpoint: file of its weights.
        folder: existing folder.
        clouds: to size the engine's profile.

    Returns:
        The side-car.

    Raises:
        ConfigError: the class list does not fit the head.
    """
    names = class_names(config)
    if len(names) != model.bbox_head.num_classes:
        raise ConfigError(f'the config names {len(names)} classes {names}, the head has {model.bbox_head.num_classes}')
    voxels = describe_voxels(model)
    graph = PillarGraph(model)
    height, width = write_onnx(graph, sample_pillars(voxels.columns, voxels.max_points, voxels.grid), folder / MODEL)
    usual = int(np.median([len(voxels(points)) for points in clouds]))
    side_car = SideCar(
        model=FileReference(MODEL, sha256(folder / MODEL)),
        checkpoint=FileReference(str(checkpoint), sha256(checkpoint)),
        config=config.pretty_text,
        versions=versions(),
        opset=OPSET,
        parameters=parameter_count(model),
        class_names=names,
        voxels=voxels,
        anchors=describe_anchors(model.bbox_head, height, width),
        decode=describe_decoding(model.bbox_head),
        profile=Profile(min=1, opt=max(1, usual), max=voxels.max_pillars),
    )
    write_json(folder / SIDE_CAR, side_car.to_json())
    return side_car


def _verification_clouds(model: nn.Module, verify_data: str | Path) -> list[np.ndarray]:
    """Return the clouds that the gate compares on."""
    voxels = describe_voxels(model)
    if str(verify_data) == 'synthetic':
        return made_up_clouds(voxels, CLOUDS)
    return read_clouds(verify_data, voxels.columns, CLOUDS)
