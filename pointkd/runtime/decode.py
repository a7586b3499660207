"""From the maps of an anchor head to boxes, with mmdet3d's meaning of every setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pointkd.core.check import check_shape
from pointkd.core.errors import ConfigError
from pointkd.runtime.anchors import Anchors
from pointkd.runtime.nms import rotated_nms


class HeadMaps(NamedTuple):
    """What the network gives for one cloud; A anchors a cell, K classes, D numbers a box.

    Attributes:
        classes: (A*K, H, W) float32 logits, class last.
        boxes: (A*D, H, W) float32 offsets from the anchors.
        directions: (A*2, H, W) float32 logits of the two headings.
    """

    classes: np.ndarray
    boxes: np.ndarray
    directions: np.ndarray


@dataclass(frozen=True)
class DecodeSettings:
    """How boxes are chosen.

    Attributes:
        score_threshold: a class whose score is not above it gives no box.
        max_candidates: anchors with the best scores that go on to the suppression (0: all).
        max_boxes: boxes kept in the end.
        nms_threshold: a bird's-eye overlap above it suppresses, within a class.
        nms_rotated: False ignores the yaw in the overlap.
        direction_offset: radians, see `Decoder`.
        direction_limit_offset: share of a half turn, see `Decoder`.
    """

    score_threshold: float
    max_candidates: int
    max_boxes: int
    nms_threshold: float
    nms_rotated: bool
    direction_offset: float
    direction_limit_offset: float

    def __post_init__(self) -> None:
        if self.max_boxes < 1 or self.max_candidates < 0:
            raise ConfigError('decode: max_boxes must be at least 1 and max_candidates at least 0')


class Decoder:
    """Turns head maps into boxes: best anchors, box offsets, suppression a class, heading.

    The box head knows a yaw only up to a half turn, which the direction head decides: with p = direction_offset and
    q = direction_limit_offset, yaw becomes period(yaw - p) + p + pi * direction, where period(v) brings v into
    [-q * pi, (1 - q) * pi).
    """

    def __init__(self, anchors: Anchors, classes: int, settings: DecodeSettings) -> None:
        self.anchors = anchors
        self.classes = classes
        self.settings = settings

    def __call__(self, maps: HeadMaps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Decode the maps of one cloud.

        Args:
            maps: see `HeadMaps`.

        Returns:
            boxes (N, 7+) float32, scores (N,) float32 and labels (N,) int64, by falling score.

        Raises:
            ShapeError: a map does not fit the anchors.
        """
        classes, boxes, directions = self._unfold(maps)
        number, row, column = self._candidates(classes.max(axis=1))
        scores = _sigmoid(classes[number, :, row, column])  # (M, K)
        decoded = _decode_boxes(self.anchors.at(row, column, number), boxes[number, :, row, column])
        direction = directions[number, :, row, column]
        kept, labels = self._suppress(decoded, scores)
        order = np.argsort(-scores[kept, labels], kind='stable')[: self.settings.max_boxes]
        kept, labels = kept[order], labels[order]
        chosen = decoded[kept]
        chosen[:, 6] = self._heading(chosen[:, 6], direction[kept, 1] > direction[kept, 0])
        return chosen, scores[kept, labels], labels

    def _unfold(self, maps: HeadMaps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Split the channels of each map: (A, values, H, W)."""
        anchors = self.anchors
        sizes = (self.classes, 7 + anchors.extra, 2)
        unfolded = []
        for name, size, array in zip(maps._fields, sizes, maps, strict=True):
            check_shape(array, f'{anchors.per_cell * size} {anchors.height} {anchors.width}', f'{name} map')
            unfolded.append(array.reshape(anchors.per_cell, size, anchors.height, anchors.width))
        return unfolded[0], unfolded[1], unfolded[2]

    def _candidates(self, best: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Anchor number, row and column of the anchors worth decoding, best first.

        Args:
            best: (A, H, W) each anchor's largest logit. Sigmoid grows with the logit, so nothing else is needed.
        """
        threshold = self.settings.score_threshold
        floor = np.log(threshold / (1 - threshold)) - 1e-3 if 0 < threshold < 1 else -np.inf  # exact test comes later
        flat = best.transpose(1, 2, 0).reshape(-1)  # H, W, A: equal scores keep mmdet3d's order
        places = np.flatnonzero(flat > floor)
        limit = self.settings.max_candidates
        if 0 < limit < len(places):
            places = places[np.argpartition(-flat[places], limit)[:limit]]
            places.sort()
        places = places[np.argsort(-flat[places], kind='stable')]
        row, column, number = np.unravel_index(places, (best.shape[1], best.shape[2], best.shape[0]))
        return number, row, column

    def _suppress(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index and label of what the suppression of each class leaves."""
        bev = boxes[:, [0, 1, 3, 4, 6]].astype(np.float64)
        if not self.settings.nms_rotated:
            bev[:, 4] = 0.0
        kept, labels = [], []
        for label in range(self.classes):
            index = np.flatnonzero(scores[:, label] > np.float32(self.settings.score_threshold))
            index = index[rotated_nms(bev[index], scores[index, label], self.settings.nms_threshold)]
            kept.append(index)
            labels.append(np.full(len(index), label))
        return np.concatenate(kept), np.concatenate(labels)

    def _heading(self, yaw: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Bring yaws into the half turn of the settings, then turn those whose direction says so."""
        offset = np.float32(self.settings.direction_offset)
        shifted, half_turn = yaw - offset, np.float32(np.pi)
        limited = shifted - np.floor(shifted / half_turn + np.float32(self.settings.direction_limit_offset)) * half_turn
        return limited + offset + half_turn * direction.astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small))


def _decode_boxes(anchors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Apply offsets to anchors, both (N, 7+): place in units of the anchor, log of the size, yaw and extras added."""
    boxes = anchors + offsets
    diagonal = np.hypot(anchors[:, 3], anchors[:, 4])
    boxes[:, :2] = offsets[:, :2] * diagonal[:, None] + anchors[:, :2]
    boxes[:, 3:6] = np.exp(offsets[:, 3:6]) * anchors[:, 3:6]
    centre = (
        offsets[:, 2] * anchors[:, 5] + anchors[:, 2] + anchors[:, 5] / 2
    )  # z is the bottom, its offset the middle's
    boxes[:, 2] = centre - boxes[:, 5] / 2
    return boxes
