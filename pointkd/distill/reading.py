"""From what a tap recorded to a feature: which kind it is, where it lies in space, what its classes are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Distributions, Feature, Grid, Logits, Map, Points, Voxels
from pointkd.distill.taps import Call, Recording, Tap, tensors_of


@dataclass(frozen=True)
class VoxelSpace:
    """The voxel layer of a network.

    Attributes:
        grid: origin and voxel size.
        extent: size of the whole range in x, y, z, metres.
    """

    grid: Grid
    extent: tuple[float, float, float]

    @classmethod
    def of(cls, model_config: Mapping[str, Any]) -> VoxelSpace | None:
        """Read it from a model config's `data_preprocessor.voxel_layer`; None where there is none."""
        layer = (model_config.get('data_preprocessor') or {}).get('voxel_layer')
        if not layer:
            return None
        x0, y0, z0, x1, y1, z1 = (float(value) for value in layer['point_cloud_range'])
        x, y, z = (float(value) for value in layer['voxel_size'])
        return cls(Grid((x0, y0, z0), (x, y, z)), (x1 - x0, y1 - y0, z1 - z0))

    def map_grid(self, height: int, width: int) -> Grid:
        """Return the grid of a bird's-eye map with so many cells over the whole range (one cell high)."""
        return Grid(self.grid.origin, (self.extent[0] / width, self.extent[1] / height, self.extent[2]))

    def sparse_grid(self, shape_zyx: Sequence[int]) -> Grid:
        """Return the grid of a sparse tensor: its stride is the whole number nearest to the ratio of the shapes."""
        sizes = zip(self.grid.cell, self.extent, reversed(list(shape_zyx)), strict=True)
        x, y, z = (cell * max(1, round(extent / cell / cells)) for cell, extent, cells in sizes)
        return Grid(self.grid.origin, (x, y, z))


def image_grid(size: tuple[int, int], image: tuple[int, int]) -> Grid:
    """Return the grid of an image net's map, in pixels of its input.

    Strided convolutions round up: a map of 2 cells of an image of 96 pixels has the stride 64 and ends at pixel 128. So
    the stride is the power of two that explains both sides, and the ratio of the sizes where none does (pooling to a
    fixed size).

    Args:
        size: height, width of the map.
        image: height, width of the input.
    """
    ratio = max(image[0] / max(1, size[0]), image[1] / max(1, size[1]))
    stride = 2 ** math.ceil(math.log2(ratio)) if ratio > 0 else 1
    if tuple(math.ceil(pixels / stride) for pixels in image) == tuple(size):
        return Grid((0.0, 0.0, 0.0), (float(stride), float(stride), 1.0))
    return Grid((0.0, 0.0, 0.0), (image[1] / max(1, size[1]), image[0] / max(1, size[0]), 1.0))


class Reader:
    """Turns recorded values of one network into features.

    Args:
        network: the network.
        model_config: its config, for the voxel layer.
    """

    def __init__(self, network: nn.Module, model_config: Mapping[str, Any]) -> None:
        self.modules = dict(network.named_modules())
        self.space = VoxelSpace.of(model_config)

    def read(self, recording: Recording, tap: Tap, batch_size: int, kinds: tuple[type, ...] = ()) -> list[Feature]:
        """Return the features that a tap names, several where its value is a list of maps.

        Args:
            recording: of this forward.
            tap: what to take.
            batch_size: samples in the batch.
            kinds: what the method takes; decides between a map and logits.

        Raises:
            ConfigError: the value is no tensor, sparse tensor or point set.
        """
        value, call = recording.take(tap)
        where, image = f'{recording.network_name} tap {tap}', recording.image_size
        if kinds == (Distributions,):
            return [self._distributions(value, tap, image, where)]
        logits = Logits in kinds and not {Map, Voxels, Points} & set(kinds)
        if logits and isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple)):
            value = value[0]  # a dense head's raw output: class scores come first
        entries = value if isinstance(value, (list, tuple)) and not self._is_voxel_pair(value) else [value]
        if logits:
            entries = [self._logits(entry, tap, image, where) for entry in entries]
        return [self._feature(entry, call, batch_size, image, where) for entry in entries]

    def _feature(self, value: Any, call: Call, batch_size: int, image: tuple[int, int] | None, where: str) -> Feature:
        """Return one feature."""
        if isinstance(value, Feature):
            return value
        if hasattr(value, 'features') and hasattr(value, 'spatial_shape'):
            grid = self.space.sparse_grid(value.spatial_shape) if self.space else None
            return Voxels(value.features, value.indices, batch_size, grid)
        if isinstance(value, Mapping) and 'fp_features' in value:
            return Points(last(value['fp_features']).transpose(1, 2), last(value['fp_xyz']))
        if self._is_voxel_pair(value):
            return Voxels(value[0], value[1], batch_size, self.space.grid if self.space else None)
        if isinstance(value, Tensor) and value.ndim == 4:
            return Map(value, self._grid(value, image))
        if isinstance(value, Tensor) and value.ndim == 2:
            return self._voxels(value, call, batch_size, where)
        shape = f' of shape {tuple(value.shape)}' if isinstance(value, Tensor) else ''
        raise ConfigError(
            f'{where}: a {type(value).__name__}{shape} is no map (N,C,H,W), no voxels (M,C), no sparse tensor and no '
            'point set; add an index such as [0]'
        )

    def _voxels(self, values: Tensor, call: Call, batch_size: int, where: str) -> Voxels:
        """Return rows as voxels, with the coordinates and counts found among the module's inputs."""
        rows = len(values)
        integers = [t for t in tensors_of(call.inputs) if not t.is_floating_point() and len(t) == rows]
        coords = next((t for t in integers if t.ndim == 2 and t.shape[1] == 4), None)
        if coords is None:
            raise ConfigError(
                f'{where}: rows of features without coordinates (an integer input of shape (M, 4) beside them); '
                'for class scores use a method that takes logits'
            )
        counts = next((t for t in integers if t.ndim == 1), None)
        return Voxels(values, coords, batch_size, self.space.grid if self.space else None, counts)

    def _grid(self, values: Tensor, image: tuple[int, int] | None) -> Grid | None:
        """Return where a map lies: over the whole range of a LiDAR net, over the input of an image net."""
        height, width = values.shape[-2:]
        if self.space:
            return self.space.map_grid(height, width)
        return image_grid((height, width), image) if image else None

    def _distributions(self, value: Any, tap: Tap, image: tuple[int, int] | None, where: str) -> Distributions:
        """Return the box sides of a dense head's raw output: a list of class maps, then a list of box maps."""
        lists = value[:2] if isinstance(value, (list, tuple)) and len(value) >= 2 else ()
        if not lists or not all(isinstance(maps, (list, tuple)) and len(maps) == len(lists[0]) for maps in lists):
            raise ConfigError(
                f'{where}: expected the output of a dense head, a list of class maps and a list of box maps; tap the '
                "head itself, student='bbox_head'"
            )
        if image is None:
            raise ConfigError(f'{where}: box sides as distributions are known of image nets only')
        scores, sides = lists
        grids = [image_grid((maps.shape[2], maps.shape[3]), image) for maps in sides]
        head = self.modules[tap.module]
        anchors = int(getattr(head, 'num_base_priors', 1))
        if anchors != 1 or sides[0].shape[1] < 8 or sides[0].shape[1] % 4:
            raise ConfigError(
                f'{where}: {type(head).__name__} gives {anchors} anchors a cell and {sides[0].shape[1]} box channels, '
                'no distributions of four sides (as GFL and YOLOv8 do)'
            )
        generator = getattr(head, 'prior_generator', None)
        offset = getattr(generator, 'center_offset', getattr(generator, 'offset', 0.5))  # of anchors or of points
        return Distributions.of_maps(scores, sides, grids, offset)

    def _logits(self, values: Any, tap: Tap, image: tuple[int, int] | None, where: str) -> Any:
        """Return class scores with the number of classes of the module or of the head around it; others as they are."""
        if not isinstance(values, Tensor) or values.ndim not in (2, 4):
            return values
        path = tap.module
        while path and not hasattr(self.modules[path], 'num_classes'):
            path = path.rpartition('.')[0]
        owner = self.modules[path]
        if not hasattr(owner, 'num_classes'):
            return Logits(values, int(values.shape[1]))
        sigmoid = bool(getattr(owner, 'use_sigmoid_cls', False))
        classes = int(getattr(owner, 'cls_out_channels', owner.num_classes))
        if hasattr(owner, 'conv_seg'):  # mmseg: one channel for two classes is a sigmoid
            classes, sigmoid = int(owner.out_channels), owner.out_channels == 1
        if values.shape[1] % classes:
            raise ConfigError(f'{where}: {values.shape[1]} channels are not a multiple of {classes} classes')
        grid = self._grid(values, image) if values.ndim == 4 else None
        return Logits(values, classes, 'sigmoid' if sigmoid else 'softmax', grid)

    @staticmethod
    def _is_voxel_pair(value: Any) -> bool:
        """Return whether a value is (features (M,C), coordinates (M,4)), as dynamic encoders give."""
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            return False
        values, coords = value
        if not isinstance(values, Tensor) or not isinstance(coords, Tensor):
            return False
        return values.ndim == 2 and coords.shape == (len(values), 4) and not coords.is_floating_point()


def last(value: Any) -> Tensor:
    """Return a tensor, or the last of a list of tensors (the finest level of a point network)."""
    return value[-1] if isinstance(value, (list, tuple)) else value
