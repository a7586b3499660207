"""The net as it runs after training: batch norms folded into the convolutions."""

from __future__ import annotations

import copy

from mmcv.cnn import fuse_conv_bn
from torch import nn


def fused(model: nn.Module) -> nn.Module:
    """Return a copy for inference: the same answers up to rounding, less work, no norms; the model is left alone.

    Args:
        model: the detector, trained. The copy is in evaluation mode and can't be trained: its activations overwrite
            their input.
    """
    quick = copy.deepcopy(model).eval().requires_grad_(False)
    fuse_conv_bn(quick)
    for module in quick.modules():
        if isinstance(module, nn.SiLU):
            module.inplace = True
    return quick
