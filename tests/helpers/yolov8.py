"""Made-up outputs, slow references and tiny nets for the tests of the YOLOv8-like detector."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointkd.models.yolov8.assign import Objects
from pointkd.models.yolov8.functional import anchor_points, box_iou, decode


def scene(
    seed: int, images: int = 2, objects: int = 5, classes: int = 3, dtype: torch.dtype = torch.float64, size: int = 64
) -> tuple[Tensor, Tensor, Tensor, Tensor, Objects]:
    """Random raw outputs, points and objects; some boxes twice, so that claims meet."""
    generator = torch.Generator().manual_seed(seed)
    like = torch.zeros(1, dtype=dtype)
    points, stride = anchor_points([(size // step, size // step) for step in (8, 16, 32)], (8, 16, 32), like)
    draw = lambda *shape: torch.rand(*shape, generator=generator, dtype=dtype)  # noqa: E731
    scores = 4 * draw(images, len(points), classes) - 2
    distances = 4 * draw(images, len(points), 4)
    centre, extent = size * draw(objects, 2), 4 + 0.6 * size * draw(objects, 2)
    found = torch.cat([centre - extent / 2, centre + extent / 2], 1).clamp(0, size)
    found[-1] = found[0]
    image = torch.randint(0, images, (objects,), generator=generator).sort().values
    labels = torch.randint(0, classes, (objects,), generator=generator)
    return scores, distances, points, stride, Objects(image, found, labels)


def by_loop(
    scores: Tensor, distances: Tensor, points: Tensor, stride: Tensor, objects: Objects, topk: int = 10
) -> dict[tuple[int, int], tuple[int, float]]:
    """The assignment one object and point at a time: {(image, anchor): (box, target)}."""
    claims: dict[tuple[int, int], list[tuple[float, int, float]]] = {}
    for number, (image, box, label) in enumerate(zip(*objects, strict=True)):
        found = []
        for anchor in range(len(points)):
            x, y = (points[anchor] * stride[anchor]).tolist()
            if not (box[0] < x < box[2] and box[1] < y < box[3]):
                continue
            u = max(0.0, float(box_iou(decode(points[anchor], distances[image, anchor], stride[anchor]), box, 'ciou')))
            t = float(scores[image, anchor, label].sigmoid()) ** 0.5 * u**6
            if t > 0:
                found.append((-t, anchor, u))
        for t, anchor, u in sorted(found)[:topk]:
            claims.setdefault((int(image), anchor), []).append((-u, number, -t))
    won = {place: min(entries) for place, entries in claims.items()}
    targets = {}
    for place, (_, number, t) in won.items():
        rivals = [entry for entry in won.values() if entry[1] == number]
        largest = max(entry[2] for entry in rivals)
        targets[place] = (number, t / largest * max(-entry[0] for entry in rivals))
    return targets


SMALL = dict(depth=0.33, width=0.125, max_channels=256)  # widths 8, 16, 32, 32, 32


def small_model(classes: int = 3, **settings: Any) -> dict[str, Any]:
    """Return the `model` block of a net that trains in milliseconds."""
    return dict(
        type='YOLOv8',
        scale=SMALL,
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[0, 0, 0], std=[255, 255, 255], bgr_to_rgb=True, pad_size_divisor=32
        ),
        backbone=dict(type='YOLOv8Backbone'),
        neck=dict(type='YOLOv8Neck'),
        bbox_head=dict(type='YOLOv8Head', num_classes=classes),
        test_cfg=dict(score_thr=0.001, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=300),
        **settings,
    )


def flat_boxes(rows: Any) -> Any:
    """Return boxes x1 y1 x2 y2 as mmdet's transforms pass them on."""
    from mmdet.structures.bbox import HorizontalBoxes

    return HorizontalBoxes(np.array(rows, dtype=np.float32).reshape(-1, 4))
