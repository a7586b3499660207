"""Small image detectors of mmdet and their batches, for tests of distillation."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

import pointkd.engine  # noqa: F401 - prepares OpenMMLab
from helpers.nets import whole_config, write_teacher
from pointkd.distill.distiller import Distiller

CLASSES = ['person', 'bicycle', 'car']
SAMPLING = dict(type='RandomSampler', num=32, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False)


def _body(kind: str, width: int, pad: int = 32, **neck: Any) -> dict[str, Any]:
    """Return preprocessor, ResNet-18 of a small base width and FPN (4 levels, from stride 8 or 4)."""
    return dict(
        type=f'mmdet.{kind}',
        data_preprocessor=dict(
            type='mmdet.DetDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True, pad_size_divisor=pad
        ),
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            base_channels=width,
            stem_channels=width,
            norm_cfg=dict(type='BN', requires_grad=True),
            frozen_stages=1,
            norm_eval=True,
            style='pytorch',
        ),
        neck=dict(
            type='mmdet.FPN',
            in_channels=[width, 2 * width, 4 * width, 8 * width],
            out_channels=width,
            num_outs=4,
            **neck,
        ),
    )


def retinanet(width: int = 4, pad: int = 32) -> dict[str, Any]:
    """Return the model config of a RetinaNet with 4 levels of `width` channels, strides 8 to 64."""
    return dict(
        **_body('RetinaNet', width, pad, start_level=1, add_extra_convs='on_input'),
        bbox_head=dict(
            type='mmdet.RetinaHead',
            num_classes=len(CLASSES),
            in_channels=width,
            stacked_convs=1,
            feat_channels=width,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator',
                octave_base_scale=4,
                scales_per_octave=1,
                ratios=[0.5, 1.0],
                strides=[8, 16, 32, 64],
            ),
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
            loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),
        ),
        train_cfg=dict(
            assigner=dict(
                type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1
            ),
            sampler=dict(type='mmdet.PseudoSampler'),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        test_cfg=dict(
            nms_pre=50, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10
        ),
    )


def gfl(width: int = 4, reg_max: int = 7) -> dict[str, Any]:
    """Return the model config of a GFL detector, whose box sides are distributions over 0 ... reg_max."""
    model = retinanet(width)
    model['type'] = 'mmdet.GFL'
    model['bbox_head'] = dict(
        type='mmdet.GFLHead',
        num_classes=len(CLASSES),
        in_channels=width,
        stacked_convs=1,
        feat_channels=width,
        norm_cfg=dict(type='GN', num_groups=2, requires_grad=True),
        anchor_generator=dict(
            type='mmdet.AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=4,
            scales_per_octave=1,
            strides=[8, 16, 32, 64],
        ),
        loss_cls=dict(type='mmdet.QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0),
        loss_dfl=dict(type='mmdet.DistributionFocalLoss', loss_weight=0.25),
        reg_max=reg_max,
        loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
    )
    model['train_cfg'] = dict(
        assigner=dict(type='mmdet.ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1, debug=False
    )
    return model


def faster_rcnn(width: int = 4) -> dict[str, Any]:
    """Return the model config of a Faster R-CNN with 4 levels of `width` channels, strides 4 to 32."""
    coder = dict(type='mmdet.DeltaXYWHBBoxCoder')
    assigner = dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0.3, ignore_iof_thr=-1)
    proposals = dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    return dict(
        **_body('FasterRCNN', width),
        rpn_head=dict(
            type='mmdet.RPNHead',
            in_channels=width,
            feat_channels=width,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32]
            ),
            bbox_coder=coder,
            loss_cls=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),
        ),
        roi_head=dict(
            type='mmdet.StandardRoIHead',
            bbox_roi_extractor=dict(
                type='mmdet.SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=0),
                out_channels=width,
                featmap_strides=[4, 8, 16, 32],
            ),
            bbox_head=dict(
                type='mmdet.Shared2FCBBoxHead',
                in_channels=width,
                fc_out_channels=4 * width,
                roi_feat_size=3,
                num_classes=len(CLASSES),
                bbox_coder=coder,
                reg_class_agnostic=False,
                loss_cls=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='mmdet.L1Loss', loss_weight=1.0),
            ),
        ),
        train_cfg=dict(
            rpn=dict(assigner=assigner, sampler=SAMPLING, allowed_border=-1, pos_weight=-1, debug=False),
            rpn_proposal=proposals,
            rcnn=dict(assigner=assigner, sampler=dict(SAMPLING, add_gt_as_proposals=True), pos_weight=-1, debug=False),
        ),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)),
    )


def write_detector(folder: Path, model: dict[str, Any], seed: int = 0) -> dict[str, str]:
    """Write a teacher's config and random weights; return the `distill.teacher` block."""
    return write_teacher(folder, model, seed, CLASSES, 'mmdet')


def distilled(
    model: dict[str, Any], teacher: dict[str, str] | None, *methods: dict[str, Any], seed: int = 1
) -> Distiller:
    """Build a Distiller around a student, weights by seed, in training mode."""
    torch.manual_seed(seed)
    built = Distiller(model, dict(teacher=teacher, methods=list(methods)), whole_config(model, CLASSES, 'mmdet'))
    built.init_weights()
    return built.train()


def losses_of(model: Distiller, batch: dict[str, Any]) -> dict[str, Any]:
    """Return the loss dict of a raw batch."""
    return model(**model.data_preprocessor(copy.deepcopy(batch), True), mode='loss')


def photos(samples: int = 2, seed: int = 0) -> dict[str, Any]:
    """Return a raw batch of random images of unequal sizes with two boxes each, as the data loader gives it."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmengine.structures import InstanceData

    generator = torch.Generator().manual_seed(seed)
    images, annotations = [], []
    for number in range(samples):
        height, width = (64, 96) if number % 2 == 0 else (72, 60)
        images.append(torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8))
        corner = torch.rand(2, 2, generator=generator) * 20
        size = 16 + torch.rand(2, 2, generator=generator) * 20
        shape = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0), img_id=number)
        sample = DetDataSample(metainfo=shape)
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.cat([corner, corner + size], dim=1)),
            labels=torch.randint(0, len(CLASSES), (2,), generator=generator),
        )
        annotations.append(sample)
    return {'inputs': images, 'data_samples': annotations}
