"""A segmentation net as one graph of standard operators: images in, class scores and labels out, any batch and size."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import torch
from mmengine.model import revert_sync_batchnorm
from torch import Tensor, nn
from torch.nn import functional

from pointkd.core.errors import ExportError
from pointkd.export.onnx_file import OPSET, check_onnx
from pointkd.export.support import is_a
from pointkd.export.traceable import make_traceable
from pointkd.runtime.segmentation import INPUT, OUTPUTS

AXES = {
    'image': {0: 'batch', 2: 'height', 3: 'width'},
    'logits': {0: 'batch', 2: 'height', 3: 'width'},
    'labels': {0: 'batch', 1: 'height', 2: 'width'},
}
TRACED = (2, 64, 96)  # batch, height and width of the images that the graph is traced with


def check_segmentor(model: nn.Module) -> None:
    """Raise unless a segmentation net becomes one graph.

    Raises:
        ExportError: says which part is in the way.
    """
    if not is_a(model, 'EncoderDecoder') or is_a(model, 'CascadeEncoderDecoder'):
        raise ExportError(f'{type(model).__name__} can not be exported: of mmseg only EncoderDecoder is supported')
    if not is_a(model.decode_head, 'BaseDecodeHead'):
        raise ExportError(
            f'{type(model).__name__} can not be exported: decode_head is {type(model.decode_head).__name__}, expected '
            'a head with one map of class scores (a BaseDecodeHead)'
        )


class SegmentationGraph(nn.Module):
    """A trained `EncoderDecoder` without its auxiliary heads, ready to be traced.

    Class scores are brought to the size of the image and turned into labels inside the graph: on a device labels are an
    image of bytes, class scores nineteen images of floats.
    """

    def __init__(self, model: nn.Module) -> None:
        """Take the parts of a net (copied; the net stays as it is).

        Args:
            model: net that `check_segmentor` accepts, in evaluation mode.
        """
        super().__init__()
        self.backbone = make_traceable(revert_sync_batchnorm(copy.deepcopy(model.backbone)))
        self.neck = make_traceable(copy.deepcopy(model.neck)) if model.with_neck else nn.Identity()
        # wrapped, since what is replaced may be the head itself
        self.head = make_traceable(nn.Sequential(revert_sync_batchnorm(copy.deepcopy(model.decode_head))))
        self.align_corners = bool(model.align_corners)
        self.threshold = model.decode_head.threshold if model.decode_head.out_channels == 1 else None
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class scores and labels.

        Args:
            image: (N, 3, H, W) float32, normalised.

        Returns:
            logits (N, C, H, W) float32 and labels (N, H, W) uint8.
        """
        scores = self.head(self.neck(self.backbone(image)))
        size = image.shape[2:]
        logits = functional.interpolate(scores, size=size, mode='bilinear', align_corners=self.align_corners)
        if self.threshold is not None:
            return logits, (logits[:, 0].sigmoid() > self.threshold).to(torch.uint8)
        return logits, logits.argmax(dim=1).to(torch.uint8)


def write_segmentation(graph: SegmentationGraph, path: Path) -> None:
    """Trace a graph and write it; batch, height and width stay free.

    Raises:
        ExportError: torch can't trace it, or an operator is not a standard one.
    """
    batch, height, width = TRACED
    image = torch.zeros(batch, 3, height, width)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the tracer's remarks on constants, and on its own age
        try:
            torch.onnx.export(
                graph,
                (image,),
                str(path),
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes=AXES,
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise ExportError(f'torch can not write this network as ONNX opset {OPSET}: {error}') from error
    check_onnx(path)
