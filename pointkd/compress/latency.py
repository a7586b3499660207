"""How long networks take in ONNX Runtime on this machine: the raw maps of one image, several networks in turns."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pointkd.compress.graphs import Flat, TensorGraph
from pointkd.core.errors import ExportError

OPSET = 17
WARM_UP = 2
INPUT = 'inputs'


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one network.

    Attributes:
        median_ms: of all runs.
        p10_ms: 10th percentile.
        p90_ms: 90th percentile.
        runs: how many.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int

    def __str__(self) -> str:
        return f'{self.median_ms:.2f} ms ({self.p10_ms:.2f} to {self.p90_ms:.2f})'


class OnnxNetwork:
    """A network in ONNX Runtime, on the CPU.

    Args:
        network: in evaluation mode.
        graph: how it runs on tensors.
        size: height, width of the input, where the network does not fix it.
        threads: it may use; 0 leaves the number to ONNX Runtime.
        timed: each part as often as in use (see `TensorGraph`).

    Raises:
        ExportError: torch can't write it as ONNX.
    """

    def __init__(
        self, network: nn.Module, graph: TensorGraph, size: tuple[int, int], *, threads: int = 0, timed: bool = True
    ) -> None:
        import onnxruntime

        inputs = graph.make_input(*(graph.size or size), 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        content = onnx_bytes(Flat(network, graph, timed), inputs)
        self.session = onnxruntime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
        self.inputs = inputs.numpy()

    def run(self, inputs: np.ndarray | None = None) -> list[np.ndarray]:
        """Return the raw maps of an input; by default the one it was traced with."""
        return self.session.run(None, {INPUT: self.inputs if inputs is None else inputs})  # type: ignore[no-any-return]


def onnx_bytes(module: nn.Module, inputs: Tensor) -> bytes:
    """Return a module of one input as the content of an ONNX file, all sizes fixed.

    Raises:
        ExportError: torch can't trace it.
    """
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings(), _pooling_by_matrices():
        warnings.simplefilter('ignore')  # the tracer's remarks on constants, and on its own age
        try:
            torch.onnx.export(module.eval(), (inputs,), buffer, input_names=[INPUT], opset_version=OPSET, dynamo=False)
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise ExportError(f'torch can not write this network as ONNX opset {OPSET}: {error}') from error
    return buffer.getvalue()


def measure_in_turns(networks: Sequence[OnnxNetwork], runs: int) -> list[Latency]:
    """Time networks in turns, so that a disturbance hits all of them alike.

    Args:
        networks: one or more.
        runs: timed runs of each, after a few to warm up.
    """
    seconds: list[list[float]] = [[] for _ in networks]
    for run in range(-WARM_UP, runs):
        for network, values in zip(networks, seconds, strict=True):
            start = time.perf_counter()
            network.run()
            if run >= 0:
                values.append(time.perf_counter() - start)
    return [_summary(values) for values in seconds]


def _summary(seconds: list[float]) -> Latency:
    """Return the percentiles of some runs."""
    low, middle, high = (float(value) * 1e3 for value in np.percentile(seconds, [10, 50, 90]))
    return Latency(middle, low, high, len(seconds))


@contextmanager
def _pooling_by_matrices() -> Iterator[None]:
    """Let adaptive average pooling be two matrix products inside the block; ONNX has no operator for uneven cells."""
    own: Callable[..., Tensor] = functional.adaptive_avg_pool2d
    functional.adaptive_avg_pool2d = _adaptive_pool
    try:
        yield
    finally:
        functional.adaptive_avg_pool2d = own


def _adaptive_pool(inputs: Tensor, output_size: Any) -> Tensor:
    """Return what adaptive average pooling gives, for a map (..., H, W) of fixed size."""
    wanted = output_size if isinstance(output_size, list | tuple) else (output_size, output_size)
    height, width = (int(length) for length in inputs.shape[-2:])
    rows, columns = (
        _pooling_matrix(length, length if cells is None else int(cells)).to(inputs)
        for length, cells in zip((height, width), wanted, strict=True)
    )
    return rows @ inputs @ columns.t()


def _pooling_matrix(length: int, cells: int) -> Tensor:
    """Return the (cells, length) weights of adaptive average pooling: cell i spans floor(iL/n) to ceil((i+1)L/n)."""
    matrix = torch.zeros(cells, length)
    for cell in range(cells):
        first, last = cell * length // cells, -(-(cell + 1) * length // cells)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix
