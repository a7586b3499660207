"""The part of a network that is pruned, as a function of tensors: images (or a canvas of pillars) in, raw maps out.

Choice of boxes, sampling of proposals and voxelisation are left out; where such a step stands between two parts that
share channels, a stand-in with the same channels takes its place.
Networks are told by the names of their classes, so that nothing here imports an OpenMMLab package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pointkd.core.errors import ConfigError

TRACED_SIZE = (128, 192)  # height, width; enough for stride 64 and for the pooling grids of PSPNet


@dataclass(frozen=True)
class Follows:
    """What a setting counts.

    Attributes:
        layer: name of the layer whose outputs it counts.
        bounds: where pieces of the outputs begin and end: the setting is then the list of their lengths.
    """

    layer: str
    bounds: tuple[int, ...] | None = None

    def value(self, outputs: tuple[int, ...]) -> int | list[int]:
        """Return the setting when these outputs of the layer stay."""
        if self.bounds is None:
            return len(outputs)
        return [sum(low <= channel < high for channel in outputs) for low, high in pairwise(self.bounds)]


@dataclass(frozen=True)
class TensorGraph:
    """How a network runs on tensors alone.

    Attributes:
        run: takes the network and the input, returns nested lists of tensors.
        make_input: takes height, width and a seed, returns an input for `run`.
        attributes: settings that must follow a layer's width, by dotted name of the attribute.
        repeats: how often a part runs for one image: prefix of layer names -> times (a second stage: its proposals).
        size: height, width that the network is fixed to; None where it takes any.
        timed: as `run`, with every part as often as in use, where that differs.
    """

    run: Callable[[nn.Module, Tensor], Any]
    make_input: Callable[[int, int, int], Tensor]
    attributes: Mapping[str, Follows] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    timed: Callable[[nn.Module, Tensor], Any] | None = None

    def outputs(self, network: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Return the raw maps of a network, in a flat list."""
        return flat(self.run(network, inputs))


class Flat(nn.Module):
    """A network with its graph as a plain module, for tracing.

    Args:
        network: any.
        graph: how it runs on tensors.
        timed: run each part as often as in use.
    """

    def __init__(self, network: nn.Module, graph: TensorGraph, timed: bool = False) -> None:
        super().__init__()
        self.network = network
        self.run = graph.timed if timed and graph.timed else graph.run

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the raw maps."""
        return tuple(flat(self.run(self.network, inputs)))


def graph_of(network: nn.Module) -> TensorGraph:
    """Return how a network runs on tensors.

    Args:
        network: built; a single- or two-stage detector of mmdet, a segmentor of mmseg, a PointPillars of mmdet3d.

    Raises:
        ConfigError: another kind of network.
    """
    for name, make in KINDS.items():
        if is_a(network, name):
            return make(network)
    raise ConfigError(
        f'{type(network).__name__} can not be pruned: no way is known to run it on tensors alone; known are '
        + ', '.join(KINDS)
    )


def is_a(thing: object, name: str) -> bool:
    """Return whether an object's class, or one it derives from, has this name."""
    return any(base.__name__ == name for base in type(thing).__mro__)


def flat(value: Any) -> list[Tensor]:
    """Return the tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    return [tensor for entry in value if entry is not None for tensor in flat(entry)]


def image(height: int, width: int, seed: int = 0) -> Tensor:
    """Return a random image (1, 3, H, W) as a preprocessor leaves it."""
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def image_graph(
    run: Callable[[nn.Module, Tensor], Any], attributes: Mapping[str, Follows] | None = None
) -> TensorGraph:
    """Return the graph of a network that takes one image (1, 3, H, W)."""
    return TensorGraph(run, image, attributes or {})


def _pieces(network: nn.Module) -> dict[str, Follows]:
    """Return what the `pieces` of every C2f count: the two parts of its first convolution's outputs."""
    blocks = {name: module for name, module in network.named_modules() if is_a(module, 'C2f')}
    return {
        f'{name}.pieces': Follows(f'{name}.cv1.conv', (0, *accumulate(module.pieces)))
        for name, module in blocks.items()
    }


def _single_stage(network: nn.Module) -> TensorGraph:
    """Return the graph of a detector with one stage."""
    return image_graph(lambda net, inputs: net.bbox_head(net.extract_feat(inputs)), _pieces(network))


def _two_stage(network: nn.Module) -> TensorGraph:
    """Return the graph of a detector with one box head on proposals (Faster and Mask R-CNN)."""
    head = network.roi_head
    if isinstance(head.bbox_head, nn.ModuleList) or head.with_shared_head:
        raise ConfigError(
            f'roi_head: {type(head).__name__} can not be pruned: one box head without shared head expected'
        )
    extractors = {'bbox': head.bbox_roi_extractor}
    regions = {'bbox': int((network.test_cfg.get('rpn') or {}).get('max_per_img', 1000))}
    if head.with_mask:
        extractors['mask'] = head.mask_roi_extractor
        regions['mask'] = int((network.test_cfg.get('rcnn') or {}).get('max_per_img', 100))
    levels = len(head.bbox_roi_extractor.featmap_strides)
    source = Follows(_last_level_layer(network))

    def run(net: nn.Module, inputs: Tensor, often: bool = False) -> list[Any]:
        maps = net.extract_feat(inputs)
        second = []
        for kind, extractor in extractors.items():
            pooled = _pooled(maps[:levels], extractor.roi_layers[0].output_size)
            part = getattr(net.roi_head, f'{kind}_head')
            second.append(part(pooled.repeat(regions[kind] if often else 1, 1, 1, 1)))
        return [net.rpn_head(maps), *second]

    own = {id(extractor): f'roi_head.{kind}_roi_extractor' for kind, extractor in reversed(extractors.items())}
    return TensorGraph(
        run,
        image,
        {f'{name}.out_channels': source for name in own.values()},  # a shared extractor has one name
        {f'roi_head.{kind}_head': times for kind, times in regions.items()},
        timed=lambda net, inputs: run(net, inputs, often=True),
    )


def _pooled(maps: Any, size: Any) -> Tensor:
    """Stand in for RoI alignment: the sum of all levels, pooled to the size of a region; channels stay in place."""
    height, width = (size, size) if isinstance(size, int) else size
    return torch.stack([functional.adaptive_avg_pool2d(level, (height, width)) for level in maps]).sum(0)


def _last_level_layer(network: nn.Module) -> str:
    """Return the name of the layer whose outputs an RoI extractor takes: the last one of the first map."""
    if not network.with_neck or not hasattr(network.neck, 'fpn_convs'):
        raise ConfigError('a two-stage detector can be pruned with an FPN as its neck only')
    names = [name for name, module in network.neck.fpn_convs[0].named_modules() if isinstance(module, nn.Conv2d)]
    return f'neck.fpn_convs.0.{names[-1]}'.rstrip('.')


def _segmentor(network: nn.Module) -> TensorGraph:
    """Return the graph of a segmentation net with its auxiliary heads."""
    if isinstance(network.decode_head, nn.ModuleList):
        raise ConfigError(f'{type(network).__name__} can not be pruned: a cascade of decode heads')

    def run(net: nn.Module, inputs: Tensor) -> list[Any]:
        maps = net.extract_feat(inputs)
        extra = net.auxiliary_head if net.with_auxiliary_head else []
        return [head(maps) for head in (net.decode_head, *(extra if isinstance(extra, nn.ModuleList) else [extra]))]

    return image_graph(run)


def _pillars(network: nn.Module) -> TensorGraph:
    """Return the graph of a PointPillars: decorated points, one a cell, through encoder, scatter and 2D part."""
    encoder, scatter = network.voxel_encoder, network.middle_encoder
    if not is_a(scatter, 'PointPillarsScatter') or not hasattr(encoder, 'pfn_layers'):
        raise ConfigError(
            f'{type(network).__name__} with {type(encoder).__name__} and {type(scatter).__name__} can not be pruned: '
            'sparse convolutions are not supported, only a pillar encoder with PointPillarsScatter is'
        )
    width = int(encoder.pfn_layers[0].linear.in_features)

    def points(height: int, columns: int, seed: int = 0) -> Tensor:
        """Return decorated points (H, W, F), one for each cell of the canvas."""
        return torch.randn(height, columns, width, generator=torch.Generator().manual_seed(seed))

    def run(net: nn.Module, inputs: Tensor) -> Any:
        rows = inputs.flatten(0, 1)  # (H*W, F)
        for layer in net.voxel_encoder.pfn_layers:
            rows = functional.relu(layer.norm(layer.linear(rows)))
            rows = rows if layer.last_vfe else torch.cat([rows, rows], 1)  # with one point its pooled feature is itself
        canvas = rows.t().reshape(1, -1, *inputs.shape[:2])
        maps = net.backbone(canvas)
        return net.bbox_head(net.neck(maps) if net.with_neck else maps)

    last = f'voxel_encoder.pfn_layers.{len(encoder.pfn_layers) - 1}.linear'
    size = (int(scatter.ny), int(scatter.nx))
    return TensorGraph(run, points, {'middle_encoder.in_channels': Follows(last)}, size=size)


KINDS: dict[str, Callable[[nn.Module], TensorGraph]] = {
    'TwoStageDetector': _two_stage,
    'SingleStageDetector': _single_stage,
    'EncoderDecoder': _segmentor,
    'VoxelNet': _pillars,
}
