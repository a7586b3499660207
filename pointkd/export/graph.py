"""PointPillars as one graph of standard operators: padded pillars in, head maps out."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pointkd.models.pillars import RealPointsPillarFeatureNet


class PillarGraph(nn.Module):
    """A trained PointPillars for one cloud at a time, ready to be traced.

    The decoration of the points, the scatter and the head are inside; voxelisation before and the choice of boxes
    after are not, since their sizes depend on the cloud. Batch norms are folded into the convolutions before them.
    """

    def __init__(self, model: nn.Module) -> None:
        """Take the parts of a detector (copied; the detector stays as it is).

        Args:
            model: mmdet3d `VoxelNet` that `check_exportable` accepts, in evaluation mode.
        """
        super().__init__()
        encoder = copy.deepcopy(model.voxel_encoder)
        # The stock encoder writes into its input. Ours has the same settings and weights and a traceable form.
        encoder.__class__ = RealPointsPillarFeatureNet
        self.encoder = encoder
        scatter = model.middle_encoder
        self.rows, self.columns, self.channels = int(scatter.ny), int(scatter.nx), int(scatter.in_channels)
        self.backbone = fold_batch_norms(copy.deepcopy(model.backbone))
        self.neck = fold_batch_norms(copy.deepcopy(model.neck)) if model.with_neck else nn.Identity()
        self.bbox_head = copy.deepcopy(model.bbox_head)
        self.requires_grad_(False).eval()

    def forward(self, points: Tensor, counts: Tensor, coords: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps of the head.

        Args:
            points: (V, P, C) float32 points of each pillar, zeros after them.
            counts: (V,) int32 points of each pillar.
            coords: (V, 3) int32 z, y, x of each pillar.

        Returns:
            classes (1, A*K, H, W), boxes (1, A*D, H, W) and directions (1, A*2, H, W).
        """
        batch = torch.zeros_like(coords[:, :1])
        features = self.encoder(points, counts, torch.cat([batch, coords], dim=1))  # (V, F)
        image = self._scatter(features, coords.long())
        classes, boxes, directions = self.bbox_head(self.neck(self.backbone(image)))
        return classes[0], boxes[0], directions[0]

    def _scatter(self, features: Tensor, coords: Tensor) -> Tensor:
        """Write features (V, F) to their cells (V, 3) of an empty map, (1, F, rows, columns).

        One write a number, straight into the channels-first map: nothing is transposed, and both runtimes do it faster
        than rows of features followed by a transposition.
        """
        cells = self.rows * self.columns
        place = coords[:, 1] * self.columns + coords[:, 2]
        places = place[:, None] + torch.arange(self.channels) * cells  # (V, F)
        # A size that seems to depend on the input: else the zeros become a constant, 55 MB in the file for KITTI.
        canvas = features.new_zeros(self.channels * cells + 0 * coords.shape[0])
        return canvas.scatter(0, places.flatten(), features.flatten()).reshape(1, -1, self.rows, self.columns)


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution right before it in a sequence, in place.

    Args:
        module: in evaluation mode.

    Returns:
        The module; its outputs differ by rounding only.
    """
    for sequence in [child for child in module.modules() if isinstance(child, nn.Sequential)]:
        names = list(sequence._modules)
        for name, following in pairwise(names):
            conv, norm = sequence._modules[name], sequence._modules[following]
            # Weights of a transposed convolution hold their output channels in the second axis (of one group).
            transposed = isinstance(conv, nn.ConvTranspose2d) and conv.groups == 1
            if (transposed or isinstance(conv, nn.Conv2d)) and isinstance(norm, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(conv, norm, transpose=transposed)
                sequence._modules[name], sequence._modules[following] = fused, nn.Identity()
    return module
