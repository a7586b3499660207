"""Runs the ONNX file of an export in OpenVINO, on the CPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pointkd.core.errors import ConfigError, ExportError, StackError
from pointkd.runtime.decode import HeadMaps
from pointkd.runtime.graph_io import OUTPUTS, feed
from pointkd.runtime.voxelize import Pillars

FEATURES = 'features'  # name of what goes from the encoder to the rest, where they are apart


class OpenVinoSession:
    """OpenVINO with a precision that is always set: its own choice is bf16 where the processor has it.

    In bf16 the point encoder stays in float32. It subtracts coordinates, and bf16 tells 69.0 m from 69.5 m but from
    nothing in between: in bf16 throughout, PointPillars finds other boxes.
    """

    def __init__(self, model: Path, precision: str, threads: int | None = None) -> None:
        """Load an ONNX file.

        Raises:
            StackError: OpenVINO is not installed.
            ConfigError: the processor has no bf16.
            ExportError: OpenVINO refuses the file.
        """
        core = _core()
        if precision == 'bf16' and 'BF16' not in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            raise ConfigError("OpenVINO has no bf16 on this processor (needs avx512_bf16 or amx_bf16): use 'f32'")
        settings: dict[str, object] = {'PERFORMANCE_HINT': 'LATENCY'}
        if threads:
            settings['INFERENCE_NUM_THREADS'] = threads
        try:
            if precision == 'f32':
                parts = [(core.read_model(str(model)), 'f32')]
            else:
                parts = [
                    (_encoder(core.read_model(str(model))), 'f32'),
                    (_rest(core.read_model(str(model))), precision),
                ]
            self._requests = [
                core.compile_model(part, 'CPU', settings | {'INFERENCE_PRECISION_HINT': hint}).create_infer_request()
                for part, hint in parts
            ]
        except RuntimeError as error:
            raise ExportError(f'{model}: OpenVINO can not load it ({error})') from error

    def __call__(self, pillars: Pillars) -> HeadMaps:
        """Return the head maps of a cloud with at least one pillar."""
        arrays = feed(pillars)
        for request in self._requests:
            request.infer({port: arrays[port.node.get_friendly_name()] for port in request.model_inputs})
            for port in request.model_outputs:
                arrays |= dict.fromkeys(port.get_names(), request.get_tensor(port).data)
        return HeadMaps(*(np.array(arrays[name][0]) for name in OUTPUTS))


@cache
def _core() -> Any:
    """Return OpenVINO, the same and never let go.

    Its CPU plugin gives the thread a signal stack of its own and takes that away when it is unloaded: any signal with a
    handler (Ctrl-C, the end of a child process) would then end Python with a segmentation fault.

    Raises:
        StackError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise StackError("OpenVINO is not installed: `pip install 'pointkd[openvino]'`") from error
    return openvino.Core()


def _scatter(model: Any) -> Any:
    """Return the node that writes the pillars' features into the map; it takes map, places, features."""
    nodes = [node for node in model.get_ops() if node.get_type_name() == 'ScatterElementsUpdate']
    if len(nodes) != 1:
        raise ExportError(f'the graph has {len(nodes)} scatter operators, expected one; export the network again')
    return nodes[0]


def _encoder(model: Any) -> Any:
    """Cut a model off after the point encoder."""
    from openvino import Model

    features = _scatter(model).input_value(2)
    features.get_tensor().set_names({FEATURES})
    return Model([features], model.get_parameters(), 'encoder')


def _rest(model: Any) -> Any:
    """Cut the point encoder off a model; its features become an input."""
    from openvino import Model
    from openvino.opset13 import parameter

    target = _scatter(model).input(2)
    features = parameter(target.get_partial_shape(), np.float32, name=FEATURES)
    features.output(0).get_tensor().set_names({FEATURES})
    target.replace_source_output(features.output(0))
    coords = [node for node in model.get_parameters() if node.get_friendly_name() == 'coords']
    return Model(model.get_results(), [*coords, features], 'rest')
