"""Runs the ONNX file of an export: pillars in, head maps out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from pointkd.core.errors import ConfigError, ExportError, nearest
from pointkd.runtime.decode import HeadMaps
from pointkd.runtime.graph_io import OUTPUTS, feed
from pointkd.runtime.openvino_session import OpenVinoSession
from pointkd.runtime.voxelize import Pillars

PRECISIONS = {'onnxruntime': ('f32',), 'openvino': ('f32', 'bf16')}


class Session(Protocol):
    """A loaded network."""

    def __call__(self, pillars: Pillars) -> HeadMaps:
        """Return the head maps of a cloud with at least one pillar."""


class OnnxRuntimeSession:
    """ONNX Runtime on the CPU, in float32."""

    def __init__(self, model: Path, threads: int | None = None) -> None:
        """Load an ONNX file.

        Raises:
            ExportError: ONNX Runtime refuses it.
        """
        self._session = start_onnxruntime(model, threads)

    def __call__(self, pillars: Pillars) -> HeadMaps:
        """Return the head maps of a cloud with at least one pillar."""
        return HeadMaps(*(output[0] for output in self._session.run(list(OUTPUTS), feed(pillars))))


def start_onnxruntime(model: Path, threads: int | None = None) -> Any:
    """Return ONNX Runtime's session of a file, on the CPU.

    Raises:
        ExportError: ONNX Runtime refuses the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # Threads that keep spinning after a run would take time from the decoding, and from whatever comes next.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ExportError(f'{model}: ONNX Runtime can not load it ({error})') from error


def open_session(model: Path, backend: str, precision: str = 'f32', threads: int | None = None) -> Session:
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
        return OpenVinoSession(model, precision, threads)
    return OnnxRuntimeSession(model, threads)
