"""Makes spconv's sparse convolutions right on the CPU, and keeps their weights from being permuted on loading.

spconv-cu120 chooses kernels for CUDA when a layer is built. `prepare()` makes that a choice at each forward: spconv's
native algorithm where the tensor is on the CPU or has no voxels, on CUDA spconv's own. It mends what the native one
lacks: bias in eval mode, bf16 and autocast, the maximum of negative numbers, and tensors without voxels.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import math
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from pointkd.core.errors import StackError
from pointkd.ops.sparse_functions import MaxPool, no_contributions, no_pairs

CURRENT_LAYOUT = 2  # version of sparse layers in `_metadata` whose weights are (out, kernel..., in)


@functools.cache
def prepare() -> None:
    """Make spconv work on the CPU, whatever device the layers were built for; before or after mmdet3d is imported.

    On the CPU: values and gradients of the native algorithm; bf16 inputs and weights, and any input under autocast, are
    computed and returned in float32; no voxels, or none left, give empty results of the right shape with gradients of
    zero. On CUDA nothing changes but that tensors without voxels work. Does nothing where spconv is not installed.

    Raises:
        StackError: spconv is installed but can't be imported.
    """
    if importlib.util.find_spec('spconv') is None:
        return
    spconv = _import_quietly()
    _mend_layers(spconv)
    _mend_functions(spconv)
    if not torch.cuda.is_available():
        spconv.conv.CPU_ONLY_BUILD = spconv.pool.CPU_ONLY_BUILD = spconv.ops.CPU_ONLY_BUILD = True


def with_metadata(model: nn.Module, state_dict: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Return a state dict whose sparse weights are loaded as they are.

    mmdet3d takes the weights of a sparse layer for mmcv's older layout (kernel..., in, out) and permutes them unless
    `_metadata` gives the layer version 2. Plain, filtered and renamed dicts have lost that; where inputs, outputs and
    kernel have the same size, permuted weights load without an error.

    Args:
        model: the network that the weights are for.
        state_dict: its weights by name; not changed.

    Returns:
        The same tensors, with version 2 for every sparse layer of the model that `_metadata` does not know. Where a
        shape shows the older layout, nothing is added and mmdet3d converts the weights.
    """
    restored = OrderedDict(state_dict)
    metadata = OrderedDict(getattr(state_dict, '_metadata', {}))
    unknown = [name for name in _sparse_layers(model) if 'version' not in metadata.get(name, {})]
    if not any(_has_older_layout(model, state_dict, name) for name in unknown):
        metadata.update({name: {'version': CURRENT_LAYOUT} for name in unknown})
    restored._metadata = metadata  # type: ignore[attr-defined]
    return restored


def _sparse_layers(model: nn.Module) -> list[str]:
    modules = sys.modules.get('spconv.pytorch.modules')
    if modules is None:
        return []
    return [name for name, layer in model.named_modules() if isinstance(layer, modules.SparseModule)]


def _has_older_layout(model: nn.Module, state_dict: Mapping[str, Tensor], name: str) -> bool:
    own, given = getattr(model.get_submodule(name), 'weight', None), state_dict.get(f'{name}.weight')
    if own is None or given is None or given.shape == own.shape:
        return False
    return given.shape == (*own.shape[1:], own.shape[0])


def _import_quietly() -> ModuleType:
    """Import spconv without its deprecation warnings and without the line that torch.fx logs at its first tensor."""
    log = logging.getLogger('torch.fx._symbolic_trace')
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(record=True):  # a filter would not do: an import below puts its own before it
            import spconv.pytorch
        spconv.pytorch.SparseConvTensor(torch.zeros(0, 1), torch.zeros(0, 4, dtype=torch.int32), [1, 1, 1], 1)
    except ImportError as error:
        raise StackError(f"spconv can't be imported ({error}): `pip install --force-reinstall spconv-cu120`") from error
    finally:
        log.disabled = was_disabled
    return spconv.pytorch


def _mend_layers(spconv: ModuleType) -> None:
    convolution, pooling = spconv.conv.SparseConvolutionBase, spconv.pool.SparseMaxPool
    convolve, pool = convolution._conv_forward, pooling.forward
    native = spconv.ConvAlgo.Native

    @functools.wraps(convolve)
    def forward_convolution(
        layer: Any, training: bool, input: Any, weight: Tensor, bias: Tensor | None, *rest: Any, **named: Any
    ) -> Any:
        _choose_algorithm(layer, input.features, native)
        if input.features.is_cuda:
            return convolve(layer, training, input, weight, bias, *rest, **named)
        with torch.autocast('cpu', enabled=False):
            # The native kernel takes no bias in eval mode.
            output = convolve(layer, training, _widen(input, weight), _wide(weight), None, *rest, **named)
            return output if bias is None else output.replace_feature(output.features + _wide(bias))

    @functools.wraps(pool)
    def forward_pool(layer: Any, input: Any) -> Any:
        _choose_algorithm(layer, input.features, native)
        if input.features.is_cuda:
            return pool(layer, input)
        with torch.autocast('cpu', enabled=False):
            return pool(layer, _widen(input, input.features))

    convolution._conv_forward, pooling.forward = forward_convolution, forward_pool


def _choose_algorithm(layer: Any, features: Tensor, native: Any) -> None:
    """Set the algorithm of a layer for this forward; one indice key sees one device, so its layers agree."""
    if layer.algo != native:
        layer.cuda_algo = layer.algo
    own = getattr(layer, 'cuda_algo', native)
    layer.algo = own if features.is_cuda and len(features) else native


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def _widen(input: Any, weight: Tensor) -> Any:
    """Return a sparse tensor with features in the precision that the weight is used in."""
    dtype = _wide(weight).dtype
    half = input.features.dtype in (torch.bfloat16, torch.float16)
    return input.replace_feature(input.features.to(dtype)) if half and input.features.dtype != dtype else input


def _mend_functions(spconv: ModuleType) -> None:
    functional, ops, core = spconv.functional, spconv.ops, spconv.core
    for function in (functional.SparseConvFunction, functional.SubMConvFunction, functional.SparseInverseConvFunction):
        function.backward = staticmethod(_without_autocast(function.backward))
    for name in ('indice_conv', 'indice_subm_conv', 'indice_inverse_conv'):
        setattr(functional, name, _guard_convolution(getattr(functional, name)))
    functional.indice_maxpool = _guard_pool(functional.indice_maxpool)
    ops.get_indice_pairs = _guard_pairs(ops.get_indice_pairs)
    core.scatter_nd = _scatter


def _without_autocast(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        with torch.autocast('cpu', enabled=False):
            return function(*arguments)

    return run


def _guard_convolution(convolve: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def guarded(features: Tensor, weight: Tensor, pairs: Tensor, pair_count: Tensor, rows: int, *rest: Any) -> Tensor:
        if len(features) == 0 or rows == 0:
            return no_contributions(rows, len(weight), features, weight)
        return convolve(features, weight, pairs, pair_count, rows, *rest)

    return guarded


def _guard_pool(pool: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def guarded(features: Tensor, pairs: Tensor, pair_count: Tensor, rows: int) -> Tensor:
        if len(features) == 0 or rows == 0:
            return no_contributions(rows, features.shape[1], features)
        if features.is_cuda:
            return pool(features, pairs, pair_count, rows)
        return MaxPool.apply(features, pairs, pair_count, rows)

    return guarded


def _guard_pairs(get_pairs: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(indices: Tensor, batch_size: int, spatial_shape: Any, algo: Any, ksize: Any, *rest: Any) -> Any:
        if len(indices) == 0:
            return no_pairs(indices, math.prod(ksize))
        # the kernel reads the memory as it lies, whatever the strides say
        return get_pairs(indices.contiguous(), batch_size, spatial_shape, algo, ksize, *rest)

    return guarded


def _scatter(indices: Tensor, updates: Tensor, shape: list[int]) -> Tensor:
    """Return zeros (shape) with rows put at their coordinates; spconv's own warns about its way of indexing."""
    dense = updates.new_zeros(shape)
    dense[tuple(indices.long().unbind(dim=-1))] = updates
    return dense
