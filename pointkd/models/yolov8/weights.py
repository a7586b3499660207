"""Weights of public YOLOv8 files under our names."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from pointkd.core.errors import CheckpointError
from pointkd.models.yolov8.head import BINS
from pointkd.models.yolov8.scale import SCALES, WIDTHS

# Number of a module in the public files, and ours. 10, 11, 13, 14, 17 and 20 have no weights.
MODULES = {
    0: 'backbone.stem',
    1: 'backbone.stage1.0',
    2: 'backbone.stage1.1',
    3: 'backbone.stage2.0',
    4: 'backbone.stage2.1',
    5: 'backbone.stage3.0',
    6: 'backbone.stage3.1',
    7: 'backbone.stage4.0',
    8: 'backbone.stage4.1',
    9: 'backbone.stage4.2',
    12: 'neck.top_down.0',
    15: 'neck.top_down.1',
    16: 'neck.downsample.0',
    18: 'neck.bottom_up.0',
    19: 'neck.downsample.1',
    21: 'neck.bottom_up.1',
    22: 'bbox_head',
}
HEAD = {'cv2.': 'box_branches.', 'cv3.': 'class_branches.'}
DFL = 'dfl.conv.weight'


class Described(NamedTuple):
    """What the shapes of weights say about their net."""

    scale: str
    classes: int


def our_name(name: str) -> str:
    """Return our name for a weight of a public file.

    Args:
        name: as in the state dict of a public file, with or without one more `model.` in front.

    Raises:
        CheckpointError: no such weight in a YOLOv8 detector.

    Example:
        >>> our_name('model.2.m.0.cv1.conv.weight'), our_name('model.22.cv3.1.2.bias')
        ('backbone.stage1.1.blocks.0.cv1.conv.weight', 'bbox_head.class_branches.1.2.bias')
    """
    found = re.fullmatch(r'(?:model\.){1,2}(\d+)\.(.+)', name)
    if not found or int(found[1]) not in MODULES:
        raise CheckpointError(f'{name!r} is no weight of a YOLOv8 detector')
    module, rest = MODULES[int(found[1])], found[2]
    if module != 'bbox_head':
        return f'{module}.{re.sub(r"^m[.]", "blocks.", rest)}'
    if rest == DFL:
        return 'bbox_head.bins'
    if rest[:4] not in HEAD:
        raise CheckpointError(
            f'{name!r} is no weight of a YOLOv8 detection head (segmentation, pose and others are not)'
        )
    return f'bbox_head.{HEAD[rest[:4]]}{rest[4:]}'


def convert(weights: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Return the weights of a public file under our names, in float32 (counters stay whole numbers).

    Args:
        weights: state dict of a public file.

    Raises:
        CheckpointError: a name that a YOLOv8 detector does not have, or distances that are not 0 … 15.
    """
    converted: OrderedDict[str, Tensor] = OrderedDict()
    for name, tensor in weights.items():
        converted[our_name(name)] = tensor.float() if tensor.is_floating_point() else tensor
    bins = converted.setdefault('bbox_head.bins', torch.arange(float(BINS))).flatten()
    if not torch.equal(bins, torch.arange(float(BINS))):
        raise CheckpointError(f'the distances of the bins are {bins.tolist()}, expected 0 to {BINS - 1}')
    converted['bbox_head.bins'] = bins
    return converted


def describe(weights: Mapping[str, Tensor]) -> Described:
    """Return which net of the family weights under our names belong to.

    Raises:
        CheckpointError: to none of them: the widths or the numbers of blocks are others.
    """
    try:
        stem = weights['backbone.stem.conv.weight'].shape[0]
        last = weights['backbone.stage4.0.conv.weight'].shape[0]
        classes = weights['bbox_head.class_branches.0.2.weight'].shape[0]
    except KeyError as error:
        raise CheckpointError(f'no YOLOv8 detector: it has no {error.args[0]}') from error
    blocks = {name.split('.')[4] for name in weights if name.startswith('backbone.stage1.1.blocks.')}
    for letter, scale in SCALES.items():
        if (stem, last, len(blocks)) == (scale.channels(WIDTHS[0]), scale.channels(WIDTHS[-1]), scale.repeats(3)):
            return Described(letter, classes)
    raise CheckpointError(
        f'none of the nets {", ".join(SCALES)} has a first layer of {stem} channels, a last stage of {last} and '
        f'{len(blocks)} blocks in the first stage'
    )
