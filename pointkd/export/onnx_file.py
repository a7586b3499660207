"""Writes a network as an ONNX file that any runtime can read."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from pointkd.core.errors import ExportError
from pointkd.runtime.graph_io import INPUTS, OUTPUTS
from pointkd.runtime.voxelize import Pillars

OPSET = 17
STANDARD_DOMAINS = ('', 'ai.onnx')

logger = logging.getLogger(__name__)


def write_onnx(graph: nn.Module, pillars: Pillars, path: Path) -> tuple[int, int]:
    """Trace a graph and write it; the number of pillars stays free, everything else is fixed.

    Args:
        graph: `PillarGraph`.
        pillars: of any cloud, at least two.
        path: the file.

    Returns:
        Height and width of the head maps.

    Raises:
        ExportError: torch can't trace it, or an operator is not a standard one.
    """
    inputs = tuple(torch.from_numpy(array) for array in (pillars.points, pillars.counts, pillars.coords))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer's remarks on constants, and on its own age
        height, width = graph(*inputs)[0].shape[-2:]
        try:
            torch.onnx.export(
                graph,
                inputs,
                str(path),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: 'pillars'} for name in INPUTS},
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise ExportError(f'torch can not write this network as ONNX opset {OPSET}: {error}') from error
    check_onnx(path)
    return int(height), int(width)


def check_onnx(path: Path) -> None:
    """Raise unless a file is valid ONNX with standard operators only."""
    model = onnx.load(str(path))
    foreign = sorted({node.op_type for node in model.graph.node if node.domain not in STANDARD_DOMAINS})
    if foreign:
        raise ExportError(f'operators outside the ONNX standard: {", ".join(foreign)}')
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # checker and shape inference raise classes of their own
        raise ExportError(f'{path.name} is not valid ONNX: {error}') from error


def sample_pillars(columns: int, max_points: int, grid: tuple[int, int, int]) -> Pillars:
    """Return a few pillars to trace with."""
    count = min(8, grid[0] * grid[1])
    points = np.ones((count, max_points, columns), dtype=np.float32)
    cells = np.arange(count)
    coords = np.stack([np.zeros(count), cells // grid[0], cells % grid[0]], axis=1).astype(np.int32)
    return Pillars(points, np.full(count, max_points, dtype=np.int32), coords)
