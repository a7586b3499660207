"""A pillar feature net that works on real points only."""

from __future__ import annotations

import torch
from mmdet3d.models.voxel_encoders.pillar_encoder import PillarFeatureNet
from mmdet3d.registry import MODELS
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor
from torch.nn.functional import linear, relu

from pointkd.models.batch_norm import folded
from pointkd.models.pillars.segments import run_index, run_max, run_sum


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class RealPointsPillarFeatureNet(PillarFeatureNet):
    """mmdet3d's `PillarFeatureNet` without work on padding: the same settings, weights and answers, many times faster.

    Voxelisation gives each pillar room for M points and most pillars hold a few. The stock net takes all P·M rows
    through its layers. The empty rows are zero there, and come out of a layer as the constant `relu(norm(0))`, which
    takes part in the maximum of every pillar that is not full. Here the R real points go through the layers, and one
    row a pillar stands for all its empty ones:

    - evaluation mode: equal to the stock net up to rounding, so weights can go both ways;
    - training mode: the same function, but the batch statistics are those of the real points. The stock net counts
      the empty rows too, so its running statistics depend on M and on how full the pillars are;
    - what lies in the padding is never read, and the input is never written to (the stock net with `legacy=True`
      centres the caller's points in place: a second net on the same voxels then sees other points).

    The arithmetic is in the weights' precision, also under autocast: it is cheap here, and metres need the digits.
    While a graph is traced for export the layers run on all rows, in dense operators with fixed shapes.

    Args: those of `PillarFeatureNet`; `norm_cfg` must be BN1d (`sync_bn='torch'` is understood).
    """

    def forward(self, features: Tensor, num_points: Tensor, coors: Tensor, *args: object, **kwargs: object) -> Tensor:
        """Return one feature vector a pillar.

        Args:
            features: (P, M, F) points of each pillar, x, y, z in metres first, padded to M.
            num_points: (P,) real points in each pillar.
            coors: (P, 4) batch, z, y, x.
            args, kwargs: ignored, as in the stock net.

        Returns:
            (P, C); (0, C) when there is no pillar.
        """
        dtype = self.pfn_layers[0].linear.weight.dtype
        exporting = torch.jit.is_tracing() or torch.compiler.is_exporting()
        encode = self._encode_padded if exporting and not self.training else self._encode_points
        with torch.autocast(features.device.type, enabled=False):
            return encode(features.to(dtype), num_points.long(), self._pillar_centres(coors.to(dtype)))

    def _encode_points(self, features: Tensor, num_points: Tensor, centres: Tensor) -> Tensor:
        """Encode the real points, and one row for all empty places of a pillar."""
        room = features.shape[1]
        pillar = run_index(num_points)  # (R,)
        points = features[_filled(num_points, room)]  # (R, F)
        means = run_sum(points[:, :3], num_points) / num_points.clamp(min=1).unsqueeze(1)
        rows = self._decorate(points, means[pillar], centres[pillar])
        empty = rows.new_zeros(1, rows.shape[1])  # the same for every pillar until a layer sees the pooled feature
        for layer in self.pfn_layers:
            weight, bias = folded(layer.linear, layer.norm, rows)
            rows, empty = linear(rows, weight, bias), linear(empty, weight, bias)
            pooled = _pool(layer.mode, rows, empty, num_points, room)
            if not layer.last_vfe:
                rows = torch.cat([relu(rows), pooled[pillar]], 1)
                empty = torch.cat([relu(empty).expand_as(pooled), pooled], 1)
        return pooled

    def _encode_padded(self, features: Tensor, num_points: Tensor, centres: Tensor) -> Tensor:
        """Encode all P·M rows, empty ones as zeros: dense operators only, for graphs."""
        filled = _filled(num_points, features.shape[1]).unsqueeze(2)  # (P, M, 1)
        points = torch.where(filled, features, 0)
        counts = num_points.clamp(min=1).to(features).reshape(-1, 1, 1)
        means = points[..., :3].sum(1, keepdim=True) / counts
        rows = torch.where(filled, self._decorate(points, means, centres.unsqueeze(1)), 0)
        for layer in self.pfn_layers:
            weight, bias = folded(layer.linear, layer.norm, rows)
            rows = relu(linear(rows, weight, bias))
            pooled = rows.amax(1, keepdim=True) if layer.mode == 'max' else rows.sum(1, keepdim=True) / counts
            if not layer.last_vfe:
                rows = torch.cat([rows, pooled.expand_as(rows)], 2)
        return pooled.squeeze(1)

    def _pillar_centres(self, coors: Tensor) -> Tensor:
        """Return the centres (P, 3) x, y, z of pillars given by (P, 4) batch, z, y, x."""
        size = coors.new_tensor([self.vx, self.vy, self.vz])
        first = coors.new_tensor([self.x_offset, self.y_offset, self.z_offset])
        return coors[:, [3, 2, 1]] * size + first

    def _decorate(self, points: Tensor, means: Tensor, centres: Tensor) -> Tensor:
        """Return the layers' input: points (..., F) with their offsets from the pillar's mean and centre (..., 3)."""
        xyz = points[..., :3]
        if self._with_voxel_center and self.legacy:  # the early net gave offsets in place of coordinates, too
            points = torch.cat([xyz - centres, points[..., 3:]], dim=-1)
        parts = [points]
        if self._with_cluster_center:
            parts.append(xyz - means)
        if self._with_voxel_center:
            parts.append(xyz - centres)
        if self._with_distance:
            parts.append(points[..., :3].norm(dim=-1, keepdim=True))
        return torch.cat(parts, dim=-1)


def _filled(num_points: Tensor, room: int) -> Tensor:
    """Return which of the `room` places of each pillar hold a point, (P, room) bool."""
    return torch.arange(room, device=num_points.device) < num_points.unsqueeze(1)


def _pool(mode: str, rows: Tensor, empty: Tensor, num_points: Tensor, room: int) -> Tensor:
    """Return the stock net's maximum or average of `relu(values)` over all places of a pillar.

    Args:
        mode: `'max'`, or `'avg'`: the sum over all places divided by the number of real points.
        rows: (R, C) values of the real points, pillar after pillar.
        empty: (P, C) or (1, C), what an empty place of each pillar gives.
        num_points: (P,) real points a pillar.
        room: places a pillar.

    Returns:
        (P, C).
    """
    places = num_points.unsqueeze(1)
    if mode == 'max':  # relu keeps the order, so it can wait until the rows are few
        largest = run_max(rows, num_points)
        return relu(torch.where(places < room, torch.maximum(largest, empty), largest))
    return (run_sum(relu(rows), num_points) + (room - places) * relu(empty)) / places.clamp(min=1)
