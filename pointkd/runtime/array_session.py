"""Runs an ONNX file whose inputs and outputs are plain arrays, in ONNX Runtime or OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pointkd.core.errors import ConfigError, ExportError, nearest
from pointkd.runtime.openvino_session import _core
from pointkd.runtime.session import PRECISIONS, start_onnxruntime


class ArraySession(Protocol):
    """A loaded network."""

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Return the outputs asked for by name."""


class OnnxRuntimeArrays:
    """ONNX Runtime on the CPU, in float32."""

    def __init__(self, model: Path, threads: int | None = None) -> None:
        import onnxruntime

        self._session = start_onnxruntime(model, threads)
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Return the outputs asked for by name."""
        return list(self._session.run(list(outputs), dict(inputs), self._options))


class OpenVinoArrays:
    """OpenVINO on the CPU; its precision is always set, since its own choice is bf16 where the processor has it."""

    def __init__(self, model: Path, precision: str, threads: int | None = None) -> None:
        core = _core()
        if precision == 'bf16' and 'BF16' not in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            raise ConfigError("OpenVINO has no bf16 on this processor (needs avx512_bf16 or amx_bf16): use 'f32'")
        settings: dict[str, object] = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': precision}
        if threads:
            settings['INFERENCE_NUM_THREADS'] = threads
        try:
            self._request = core.compile_model(str(model), 'CPU', settings).create_infer_request()
        except RuntimeError as error:
            raise ExportError(f'{model}: OpenVINO can not load it ({error})') from error

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """Return the outputs asked for by name."""
        self._request.infer(dict(inputs))
        return [np.array(self._request.get_tensor(name).data) for name in outputs]


def open_arrays(model: Path, backend: str, precision: str = 'f32', threads: int | None = None) -> ArraySession:
    """Load an ONNX file.

    Args:
        model: the file.
        backend: 'onnxruntime' or 'openvino'.
        precision: 'f32', or 'bf16' with OpenVINO on a processor that has it.
        threads: at most so many (default: the backend's choice).

    Raises:
        ConfigError: no such backend, or the backend has not this precision.
        ExportError: the backend refuses the file.
        StackError: the backend is not installed.
    """
    if backend not in PRECISIONS:
        raise ConfigError(f'backend {backend!r}: {nearest(backend, PRECISIONS)}')
    if precision not in PRECISIONS[backend]:
        raise ConfigError(f'precision {precision!r}: {backend} runs {" or ".join(PRECISIONS[backend])}')
    if backend == 'openvino':
        return OpenVinoArrays(model, precision, threads)
    return OnnxRuntimeArrays(model, threads)
