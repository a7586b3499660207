"""The head: class scores and distances to the sides of the box, in two branches at each of three strides."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.utils import filter_scores_and_topk
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import ModuleList, Sequential
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from pointkd.core.errors import ConfigError
from pointkd.models.yolov8.assign import Objects
from pointkd.models.yolov8.blocks import ConvBlock
from pointkd.models.yolov8.functional import anchor_points, decode
from pointkd.models.yolov8.loss import detection_loss
from pointkd.models.yolov8.scale import STRIDES, WIDTHS, Scale

BINS = 16  # of each side's distribution: distances from 0 to 15 cells
CLASS_GAIN, BOX_GAIN, DISTANCE_GAIN = 0.5, 7.5, 1.5
CHOICE = dict(score_thr=0.001, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=300)


@MMENGINE_MODELS.register_module()
@MODELS.register_module()
class YOLOv8Head(BaseDenseHead):
    """Anchor-free head: per level a class branch and a box branch, which share nothing; no objectness.

    Args:
        num_classes: classes.
        scale: see `Scale.of`.
        nominal_batch: the loss is a mean over images times this number; None takes the images at hand. A number keeps
            the gradient of a step the same however its images are spread over accumulated batches and processes
            (mmengine takes the mean over both).
        train_cfg: ignored; the loss has no settings.
        test_cfg: `score_thr`, `nms_pre`, `nms`, `max_per_img` as in mmdet's dense heads; default `CHOICE`, made for AP.

    Attributes:
        bins: (16,) distances that the bins of a side stand for: 0 … 15, fixed. A parameter, not a buffer, since the
            published counts include it.
    """

    use_sigmoid_cls = True  # each class on its own; distillation of scores asks for it, by mmdet's name

    def __init__(
        self,
        num_classes: int,
        scale: Any,
        nominal_batch: int | None = None,
        train_cfg: Any = None,
        test_cfg: Any = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_classes < 1:
            raise ConfigError(f'bbox_head.num_classes must be at least 1, got {num_classes}')
        scale = Scale.of(scale)
        widths = [scale.channels(width) for width in WIDTHS[2:]]
        box_width, class_width = max(16, widths[0] // 4, 4 * BINS), max(widths[0], min(num_classes, 100))
        self.num_classes, self.nominal_batch = num_classes, nominal_batch
        self.test_cfg = ConfigDict({**CHOICE, **(test_cfg or {})})
        self.box_branches = ModuleList([_branch(width, box_width, 4 * BINS) for width in widths])
        self.class_branches = ModuleList([_branch(width, class_width, num_classes) for width in widths])
        self.bins = nn.Parameter(torch.arange(float(BINS)), requires_grad=False)
        self._init_biases()

    def init_weights(self) -> None:
        """Draw the weights as torch's layers do by default, and set the biases of the last layers."""
        super().init_weights()
        for branch in (*self.box_branches, *self.class_branches):
            branch[-1].reset_parameters()
        self._init_biases()

    def _init_biases(self) -> None:
        """Start with the class scores that 5 objects in an image of 640² give, and distributions shifted as one."""
        for box, classes, stride in zip(self.box_branches, self.class_branches, STRIDES, strict=True):
            nn.init.constant_(box[-1].bias, 1.0)
            nn.init.constant_(classes[-1].bias, math.log(5 / self.num_classes / (640 / stride) ** 2))

    def forward(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the raw outputs.

        Args:
            maps: (N, C_i, H_i, W_i) at strides 8, 16 and 32.

        Returns:
            scores: logits (N, num_classes, H_i, W_i) of each level.
            bins: logits (N, 4 · 16, H_i, W_i) of each level: left, top, right, bottom.
        """
        scores = [branch(x) for branch, x in zip(self.class_branches, maps, strict=True)]
        return scores, [branch(x) for branch, x in zip(self.box_branches, maps, strict=True)]

    def decoded(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return all boxes and scores: what an exported graph gives.

        Every shape but the batch's is a constant of the graph.

        Args:
            maps: as in `forward`.

        Returns:
            boxes: (N, A, 4) x1 y1 x2 y2 in pixels of the input.
            scores: (N, A, num_classes) from 0 to 1.
        """
        score_maps, bin_maps = self(maps)
        points, stride = self._points(score_maps)
        scores = torch.cat([level.flatten(2) for level in score_maps], dim=2)  # (N, num_classes, A)
        bins = torch.cat([level.flatten(2) for level in bin_maps], dim=2)  # (N, 4·16, A)
        # TensorRT and OpenVINO have a fast softmax over the last axis only
        distances = bins.unflatten(1, (4, BINS)).permute(0, 3, 1, 2).softmax(3) @ self.bins  # (N, A, 4)
        return decode(points, distances, stride), scores.sigmoid().transpose(1, 2)

    def loss_by_feat(
        self,
        scores: Sequence[Tensor],
        bins: Sequence[Tensor],
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict[str, Any]],
        batch_gt_instances_ignore: Any = None,
    ) -> dict[str, Tensor]:
        """Return the losses of a batch: `loss_cls`, `loss_bbox`, `loss_dfl` with their gains, times the batch size.

        Args:
            scores, bins: of `forward`.
            batch_gt_instances: `bboxes` (G, 4) x1 y1 x2 y2 in pixels of the input and `labels` of each image.
            batch_img_metas: not used.
            batch_gt_instances_ignore: not used, as in the original: objects to ignore are background.
        """
        points, stride = self._points(scores)
        flat_scores, flat_bins = _flat(scores), _flat(bins).unflatten(2, (4, BINS))
        terms = detection_loss(flat_scores, flat_bins, points, stride, _objects(batch_gt_instances, flat_scores))
        images = self.nominal_batch or len(flat_scores)
        return {
            'loss_cls': terms.classes * (CLASS_GAIN * images),
            'loss_bbox': terms.boxes * (BOX_GAIN * images),
            'loss_dfl': terms.distances * (DISTANCE_GAIN * images),
        }

    def predict_by_feat(
        self,
        scores: Sequence[Tensor],
        bins: Sequence[Tensor],
        batch_img_metas: Sequence[dict[str, Any]],
        cfg: Any = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Return the boxes of each image, best first.

        Args:
            scores, bins: of `forward`.
            batch_img_metas: of each image; with `rescale`, `scale_factor`, `ori_shape` and, of a letterbox,
                `pad_offset` bring the boxes back into the original image.
            cfg: in place of `test_cfg`.
            rescale: whether boxes are in pixels of the original image.
            with_nms: whether overlapping boxes are removed.

        Returns:
            `bboxes` (K, 4) x1 y1 x2 y2, `scores` (K,), `labels` (K,) of each image; a point may give a box a class.
        """
        points, stride = self._points(scores)
        flat_scores, flat_bins = _flat(scores).sigmoid(), _flat(bins).unflatten(2, (4, BINS))
        settings = cfg or self.test_cfg
        results = []
        for number, meta in enumerate(batch_img_metas):
            chosen, labels, anchor, _ = filter_scores_and_topk(
                flat_scores[number], settings.score_thr, settings.get('nms_pre', CHOICE['nms_pre'])
            )
            distances = flat_bins[number, anchor].softmax(2) @ self.bins
            boxes = decode(points[anchor], distances, stride[anchor])
            boxes = _to_original(boxes, meta) if rescale else boxes
            found = InstanceData(bboxes=boxes, scores=chosen, labels=labels)
            found = self._bbox_post_process(found, settings, with_nms=with_nms, img_meta=meta)
            found.bboxes = _clipped(found.bboxes, meta) if rescale else found.bboxes
            results.append(found)
        return results

    def _points(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the anchor points (A, 2) of maps and their strides (A, 1)."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', torch.jit.TracerWarning)  # the graph of an export has one input size
            sizes = [(int(level.shape[2]), int(level.shape[3])) for level in levels]
        return anchor_points(sizes, STRIDES, levels[0])


def _branch(in_channels: int, width: int, out_channels: int) -> Sequential:
    """Return two 3×3 convolutions and the last, linear one."""
    layers = ConvBlock(in_channels, width, 3), ConvBlock(width, width, 3), nn.Conv2d(width, out_channels, 1)
    return Sequential(*layers)


def _flat(levels: Sequence[Tensor]) -> Tensor:
    """Return the maps (N, C, H_i, W_i) of all levels as rows (N, A, C)."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)


def _to_original(boxes: Tensor, meta: dict[str, Any]) -> Tensor:
    """Return boxes (K, 4) of the network's input in pixels of the image that it was made from."""
    left, top = meta.get('pad_offset', (0, 0))
    scale = boxes.new_tensor(tuple(meta['scale_factor']) * 2)
    return (boxes - boxes.new_tensor((left, top, left, top))) / scale


def _clipped(boxes: Tensor, meta: dict[str, Any]) -> Tensor:
    """Return boxes (K, 4) cut at the borders of the original image, where its size is known."""
    if 'ori_shape' not in meta:
        return boxes
    height, width = meta['ori_shape'][:2]
    return boxes.clamp(min=0).minimum(boxes.new_tensor((width, height) * 2))


def _objects(instances: Sequence[InstanceData], like: Tensor) -> Objects:
    """Return the objects of all images in one list."""
    counts = torch.tensor([len(entry) for entry in instances], device=like.device)
    boxes = [getattr(entry.bboxes, 'tensor', entry.bboxes) for entry in instances]
    return Objects(
        torch.repeat_interleave(torch.arange(len(counts), device=like.device), counts),
        torch.cat(boxes).to(like).reshape(-1, 4),
        torch.cat([entry.labels for entry in instances]).to(like.device),
    )
