"""Parameters and multiply-adds of a network, counted on real forward passes.

Dense work is counted where torch dispatches it (convolutions, matrix products), so that functional calls count too;
sparse convolutions by the pairs of their rulebooks, which depend on the cloud.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.hooks import RemovableHandle

from pointkd.core.errors import ConfigError, DataError
from pointkd.io.build import build_model
from pointkd.io.dummy import dummy_batch
from pointkd.io.images import resized_to

CONV_2D, MATRIX, SPARSE, OTHER = 'conv2d', 'matrix', 'sparse', 'other'


@dataclass
class Complexity:
    """What a network costs.

    Attributes:
        parameters: trained numbers, by part (the network's direct children).
        scenes: multiply-adds of each input, by part and kind ('conv2d', 'matrix', 'sparse', 'other').
        source: where the inputs came from, in words.
    """

    parameters: dict[str, int]
    scenes: list[Counter[tuple[str, str]]] = field(default_factory=list)
    source: str = ''

    @property
    def params(self) -> int:
        """All trained numbers."""
        return sum(self.parameters.values())

    def macs(self, *, part: str | None = None, kind: str | None = None) -> int:
        """Return multiply-adds, the mean over the inputs.

        Args:
            part: only of this part.
            kind: only of this kind.
        """
        return round(statistics.fmean(_total(scene, part, kind) for scene in self.scenes))

    def to_json(self) -> dict[str, Any]:
        """Return what `pointkd complexity --json` prints."""
        totals = [_total(scene) for scene in self.scenes]
        return {
            'params': self.params,
            'macs': self.macs(),
            'macs_conv2d': self.macs(kind=CONV_2D),
            'macs_sparse': self.macs(kind=SPARSE),
            'parts': {part: {'params': count, 'macs': self.macs(part=part)} for part, count in self.parameters.items()},
            'inputs': {'source': self.source, 'count': len(totals), 'macs_min': min(totals), 'macs_max': max(totals)},
        }


def measure_complexity(
    config: Config, *, clouds: Sequence[np.ndarray] | None = None, image_size: tuple[int, int] | None = None
) -> Complexity:
    """Build the network of a config with random weights and count.

    Args:
        config: whole config of a detector or segmentation net of mmdet, mmdet3d or mmseg.
        clouds: each (N, C), for LiDAR nets whose work depends on the points; by default one made-up cloud.
        image_size: height, width, for image nets; by default the size that the test pipeline resizes to.

    Returns:
        The counts. Work outside the network's modules (voxelisation, choice of boxes) is not in them; multiplications
        of norms, activations and poolings are not multiply-adds.

    Raises:
        ConfigError: clouds for an image net, or an image size for a LiDAR net, or none to be found.
        DataError: a cloud has no point in the net's range.
    """
    model = build_model(config)
    parameters = {name: sum(p.numel() for p in child.parameters()) for name, child in model.named_children()}
    result = Complexity({name: count for name, count in parameters.items() if count})
    batch = dummy_batch(config)
    if isinstance(batch['inputs'], dict) and 'points' in batch['inputs']:
        if image_size is not None:
            raise ConfigError('an image size makes no sense for a LiDAR net')
        inputs = [batch] if clouds is None else [_with_cloud(config, points) for points in clouds]
        result.source = 'one made-up cloud' if clouds is None else f'{len(inputs)} clouds'
    else:
        if clouds is not None:
            raise ConfigError('point clouds make no sense for an image net')
        height, width = image_size or resized_to(config)
        inputs = [_with_image(batch, height, width)]
        result.source = f'one image of {height} x {width}'
    for number, entry in enumerate(inputs):
        with torch.no_grad(), counting(model) as counts:
            processed = model.data_preprocessor(entry, training=False)
            voxels = processed['inputs'].get('voxels') if isinstance(processed['inputs'], dict) else None
            if voxels is not None and not len(voxels['coors']):
                raise DataError(f'cloud {number}: no point lies in the range of this net')
            model(processed['inputs'], processed['data_samples'], mode='predict')
        result.scenes.append(counts)
    return result


@contextmanager
def counting(model: nn.Module) -> Iterator[Counter[tuple[str, str]]]:
    """Count the multiply-adds of every forward pass of a network's modules inside the block.

    Args:
        model: any network; work of its direct children is counted, each under its name.

    Yields:
        A counter by (part, kind), complete when the block ends.
    """
    counter = _MacCounter()
    handles = [handle for name, child in model.named_children() for handle in counter.watch(name, child)]
    try:
        with counter:
            yield counter.counts
    finally:
        for handle in handles:
            handle.remove()


class _MacCounter(TorchDispatchMode):
    """Adds up multiply-adds under the part whose module runs."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()
        self._running: list[str] = []
        self._inside_sparse = 0
        self._keys = 0

    def watch(self, part: str, module: nn.Module) -> list[RemovableHandle]:
        """Follow a part's modules: which one runs, and what its sparse convolutions do."""
        handles = []
        for child in module.modules():
            handles.append(child.register_forward_pre_hook(lambda *_, part=part: self._running.append(part)))
            if is_sparse_convolution(child):
                handles.append(child.register_forward_pre_hook(self._enter_sparse))
                handles.append(child.register_forward_hook(self._leave_sparse))
            handles.append(child.register_forward_hook(lambda *_: self._running.pop() and None, always_call=True))
        return handles

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, and count it."""
        output = function(*args, **(kwargs or {}))
        formula = flop_registry.get(function._overloadpacket)
        if formula is not None and self._running and not self._inside_sparse:
            kind = MATRIX
            if 'conv' in str(function):
                kind = CONV_2D if args[1].ndim == 4 else OTHER
            self.counts[self._running[-1], kind] += formula(*args, **(kwargs or {}), out_val=output) // 2
        return output

    def _enter_sparse(self, module: Any, inputs: Any) -> None:
        """Make sure that the rulebook stays with the output, under some name."""
        self._inside_sparse += 1
        if module.indice_key is None:
            self._keys += 1
            module.indice_key = f'{id(self)}-{self._keys}'

    def _leave_sparse(self, module: Any, inputs: Any, output: Any) -> None:
        """Count a sparse convolution."""
        self._inside_sparse -= 1
        self.counts[self._running[-1], SPARSE] += sparse_macs(module, inputs[0], output)
        if module.indice_key.startswith(f'{id(self)}-'):
            module.indice_key = None


def is_sparse_convolution(module: nn.Module) -> bool:
    """Return whether a module is one of spconv's convolutions."""
    return any(base.__name__ == 'SparseConvolutionBase' for base in type(module).__mro__)


def sparse_macs(module: Any, before: Any, after: Any) -> int:
    """Return the multiply-adds of one sparse convolution: pairs of its rulebook times channels in and out.

    Args:
        module: spconv convolution with an `indice_key`.
        before: the `SparseConvTensor` it took.
        after: the one it gave.
    """
    channels = module.in_channels * module.out_channels
    if module.conv1x1:  # no rulebook: one product a voxel
        return len(before.features) * channels
    rulebook = after.indice_dict[module.indice_key]
    # The native table holds -1 where there is no pair; its counts leave out the mirrored half of a submanifold kernel.
    sources = rulebook.indice_pairs[0] if hasattr(rulebook, 'indice_pairs') else rulebook.pair_fwd
    return int((sources >= 0).sum()) * channels


def _total(scene: Counter[tuple[str, str]], part: str | None = None, kind: str | None = None) -> int:
    """Add up the counts of a scene that belong to a part and a kind."""
    return sum(count for key, count in scene.items() if part in (None, key[0]) and kind in (None, key[1]))


def _with_cloud(config: Config, points: np.ndarray) -> dict[str, Any]:
    """Return a batch of one given cloud, finite points only."""
    batch = dummy_batch(config)
    finite = points[np.isfinite(points).all(axis=1)]
    batch['inputs']['points'] = [torch.from_numpy(np.ascontiguousarray(finite, dtype=np.float32))]
    return batch


def _with_image(batch: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    """Return the batch with an image of another size."""
    batch['inputs'] = [torch.zeros(3, height, width, dtype=torch.uint8)]
    shape = (height, width)
    for sample in batch['data_samples']:
        sample.set_metainfo({'img_shape': shape, 'ori_shape': shape, 'pad_shape': shape})
    return batch
