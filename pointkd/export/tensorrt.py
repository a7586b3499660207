"""TensorRT: a script that builds the engine on the device, and the engine itself where this machine can."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

from pointkd.core.errors import ExportError, StackError
from pointkd.core.files import atomic_write, write_text
from pointkd.runtime.graph_io import INPUTS
from pointkd.runtime.segmentation import INPUT, SegmentationSideCar
from pointkd.runtime.sidecar import SideCar

SCRIPT = 'build_engine.sh'
ENGINE = 'model.plan'

TEMPLATE = """#!/usr/bin/env bash
# Builds a TensorRT engine from {model} on the device that will run it (engines do not move between devices).
# usage: {script} [trtexec arguments, for instance --fp16]
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v trtexec >/dev/null; then
    echo "trtexec is not on the PATH; it comes with TensorRT (often in /usr/src/tensorrt/bin)" >&2
    exit 1
fi
echo "{sha256}  {model}" | sha256sum --check --quiet
trtexec --onnx={model} --saveEngine={engine} \\
    --minShapes={min} \\
    --optShapes={opt} \\
    --maxShapes={max} \\
    "$@"
"""


def shapes(side_car: SideCar, pillars: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input of the network for a number of pillars."""
    voxels = side_car.voxels
    return dict(zip(INPUTS, ((pillars, voxels.max_points, voxels.columns), (pillars,), (pillars, 3)), strict=True))


def profile_shapes(side_car: SideCar | SegmentationSideCar) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shapes of a network's inputs that an engine is built for, under 'min', 'opt' and 'max'."""
    if isinstance(side_car, SegmentationSideCar):
        sizes = vars(side_car.profile)
        return {key: {INPUT: (batch, 3, height, width)} for key, (batch, height, width) in sizes.items()}
    return {key: shapes(side_car, getattr(side_car.profile, key)) for key in ('min', 'opt', 'max')}


def write_script(side_car: SideCar | SegmentationSideCar, folder: Path) -> Path:
    """Write the build script beside an ONNX file, and let bash check it.

    Raises:
        ExportError: bash finds a mistake.
    """
    profile = {
        name: ','.join(f'{key}:{"x".join(map(str, shape))}' for key, shape in inputs.items())
        for name, inputs in profile_shapes(side_car).items()
    }
    model = side_car.model
    path = folder / SCRIPT
    text = TEMPLATE.format(model=model.file, sha256=model.sha256, script=SCRIPT, engine=ENGINE, **profile)
    write_text(path, text)
    path.chmod(0o755)
    if shutil.which('bash'):
        checked = subprocess.run(['bash', '-n', str(path)], capture_output=True, text=True, check=False)
        if checked.returncode:
            raise ExportError(f'{path}: bash refuses the script: {checked.stderr.strip()}')
    return path


def build_engine(side_car: SideCar | SegmentationSideCar, folder: Path) -> Path:
    """Build the engine of an export with TensorRT's Python package.

    Args:
        side_car: of the export.
        folder: where the ONNX file lies and the engine goes.

    Returns:
        The engine file.

    Raises:
        StackError: no TensorRT, or no GPU; names the script that builds it elsewhere.
        ExportError: TensorRT refuses the network.
    """
    elsewhere = f'run {folder / SCRIPT} on the device'
    if importlib.util.find_spec('tensorrt') is None:
        raise StackError(f"TensorRT is not installed (`pip install 'pointkd[tensorrt]'`): {elsewhere}")
    if not torch.cuda.is_available():
        raise StackError(f'TensorRT builds engines on a GPU and there is none here: {elsewhere}')
    import tensorrt

    log = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(log)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, log)
    if not parser.parse((folder / side_car.model.file).read_bytes()):
        problems = '; '.join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise ExportError(f'TensorRT can not read {side_car.model.file}: {problems}')
    plan = builder.build_serialized_network(network, _build_config(builder, side_car))
    if plan is None:
        raise ExportError('TensorRT could not build the engine; its log above says why')
    with atomic_write(folder / ENGINE) as file:
        file.write(plan)
    return folder / ENGINE


def _build_config(builder: Any, side_car: SideCar | SegmentationSideCar) -> Any:
    """Return TensorRT's settings with the range of input shapes."""
    profile = builder.create_optimization_profile()
    fewest, usual, most = profile_shapes(side_car).values()
    for name in fewest:
        profile.set_shape(name, fewest[name], usual[name], most[name])
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    return config
