"""The gate of an export: the same boxes as PyTorch, or the stage that differs is named."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pointkd.core.boxes import wrap_angle
from pointkd.core.errors import ExportError
from pointkd.export.eager import EagerDetector
from pointkd.runtime.decode import DecodeSettings, HeadMaps
from pointkd.runtime.detections import Detections
from pointkd.runtime.detector import Detector
from pointkd.runtime.voxelize import Pillars

TOLERANCE_M = 1e-3
TOLERANCE_SCORE = 1e-3
TOLERANCE_MAPS = 1e-3  # of logits and box offsets, in proportion where they exceed 1
SAME_OBJECT_M = 0.1  # boxes nearer than this are the same object with other numbers
# A box that only one side has is no difference where rounding decides: its score is at the threshold, or at the last
# place of a full list.
ROUNDING = 1e-5

logger = logging.getLogger(__name__)


@dataclass
class Difference:
    """How two sets of detections differ.

    Attributes:
        boxes: pairs that were compared.
        max_box_m: largest difference of a position or size, metres.
        max_yaw_rad: largest difference of a yaw.
        max_score: largest difference of a score.
        unmatched: boxes that only one side has.
        borderline: of these, the ones that rounding decides (not counted in `unmatched`).
    """

    boxes: int = 0
    max_box_m: float = 0.0
    max_yaw_rad: float = 0.0
    max_score: float = 0.0
    unmatched: int = 0
    borderline: int = 0

    def add(self, other: Difference) -> None:
        """Take in the difference of another cloud."""
        self.boxes += other.boxes
        self.unmatched += other.unmatched
        self.borderline += other.borderline
        self.max_box_m = max(self.max_box_m, other.max_box_m)
        self.max_yaw_rad = max(self.max_yaw_rad, other.max_yaw_rad)
        self.max_score = max(self.max_score, other.max_score)

    @property
    def passed(self) -> bool:
        """Whether everything is within tolerance."""
        return (
            self.unmatched == 0
            and max(self.max_box_m, self.max_yaw_rad) <= TOLERANCE_M
            and self.max_score <= TOLERANCE_SCORE
        )

    def __str__(self) -> str:
        return (
            f'{self.boxes} boxes differ by up to {self.max_box_m:.2g} m, {self.max_yaw_rad:.2g} rad and score '
            f'{self.max_score:.2g}, {self.unmatched} boxes have no partner'
        )


@dataclass
class Parity:
    """What the comparison of an export with PyTorch gave.

    Attributes:
        clouds: how many were compared.
        result: end to end, points to boxes.
        voxelize: clouds whose pillars differ in any bit.
        network: largest difference of each map on PyTorch's pillars, in proportion where values exceed 1.
        decode: boxes from PyTorch's maps.
    """

    clouds: int = 0
    result: Difference = field(default_factory=Difference)
    voxelize: int = 0
    network: dict[str, float] = field(default_factory=lambda: dict.fromkeys(HeadMaps._fields, 0.0))
    decode: Difference = field(default_factory=Difference)

    def __str__(self) -> str:
        return f'{self.clouds} clouds, {self.result}'

    def to_json(self) -> dict[str, Any]:
        """Return the content of parity.json; the result's fields stand at the top."""
        tolerances = {'box_m': TOLERANCE_M, 'yaw_rad': TOLERANCE_M, 'score': TOLERANCE_SCORE, 'maps': TOLERANCE_MAPS}
        stages = {'voxelize': self.voxelize, 'network': self.network, 'decode': asdict(self.decode)}
        return {'clouds': self.clouds, **asdict(self.result), 'tolerance': tolerances, 'stages': stages}

    def add_maps(self, ours: HeadMaps | None, theirs: HeadMaps) -> None:
        """Take in the maps of another cloud."""
        for name, mine, reference in zip(HeadMaps._fields, ours or theirs, theirs, strict=True):
            difference = np.abs(mine - reference) / np.maximum(np.abs(reference), 1)
            self.network[name] = max(self.network[name], float(difference.max()))

    @property
    def culprit(self) -> str:
        """The first stage that differs, in words; '' where none does."""
        if self.voxelize:
            return f'voxelise: the pillars of {self.voxelize} of {self.clouds} clouds differ'
        name = max(self.network, key=lambda key: self.network[key])
        if not self.network[name] <= TOLERANCE_MAPS:
            return f'network: the {name} map differs by {self.network[name]:.2g}'
        return '' if self.decode.passed else f'decode: {self.decode}'

    def check(self) -> None:
        """Raise unless the export gives PyTorch's boxes.

        Raises:
            ExportError: names the first stage that differs.
        """
        if self.culprit or not self.result.passed:
            culprit = self.culprit or 'no single stage differs by more than its tolerance'
            raise ExportError(f'the export does not give the boxes of PyTorch: {self.result}; stage: {culprit}')


def measure_parity(eager: EagerDetector, exported: Detector, clouds: Sequence[np.ndarray]) -> Parity:
    """Run both detectors on clouds and compare the boxes, and every stage on the same input.

    Args:
        eager: the detector in PyTorch.
        exported: the same one, exported.
        clouds: each (N, C).

    Returns:
        The differences; judge them with `Parity.check`.
    """
    parity = Parity(clouds=len(clouds))
    settings = exported.side_car.decode
    for points in clouds:
        pillars, maps, reference = _run_in_stages(eager, points)
        own = exported.voxelize(points)
        same = all(np.array_equal(ours, theirs) for ours, theirs in zip(own[:3], pillars[:3], strict=True))
        parity.voxelize += not same
        if maps is not None:
            parity.add_maps(exported.network(pillars), maps)
        parity.decode.add(compare(reference, exported.decode(maps, own), settings))
        parity.result.add(compare(reference, exported.predict(points), settings))
    if not parity.result.boxes:
        logger.warning(
            'no cloud gave a box above score %g: only pillars and maps were compared', settings.score_threshold
        )
    return parity


def compare(reference: Detections, other: Detections, settings: DecodeSettings) -> Difference:
    """Pair the boxes of two detections of one cloud, and measure how far each pair is apart.

    Args:
        reference: from PyTorch.
        other: from the export.
        settings: for what counts as borderline.

    Returns:
        The difference.
    """
    result = Difference()
    apart = np.abs(reference.boxes[:, None, :6] - other.boxes[None, :, :6]).max(axis=2, initial=0.0)  # (N, M)
    apart[reference.labels[:, None] != other.labels[None]] = np.inf
    alone = [np.ones(len(reference), dtype=bool), np.ones(len(other), dtype=bool)]
    for index in range(len(reference)):
        partner = int(np.argmin(np.where(alone[1], apart[index], np.inf))) if len(other) else -1
        if partner < 0 or not alone[1][partner] or apart[index, partner] > SAME_OBJECT_M:
            continue
        alone[0][index] = alone[1][partner] = False
        yaw = wrap_angle(reference.boxes[index, 6] - other.boxes[partner, 6])
        score = reference.scores[index] - other.scores[partner]
        result.add(Difference(1, float(apart[index, partner]), float(abs(yaw)), float(abs(score))))
    for lonely, mine, theirs in ((alone[0], reference, other), (alone[1], other, reference)):
        border = _border(theirs, settings)
        borderline = int((mine.scores[lonely] <= border + ROUNDING).sum())
        result.add(Difference(unmatched=int(lonely.sum()) - borderline, borderline=borderline))
    return result


def _border(found: Detections, settings: DecodeSettings) -> float:
    """Score that a further box had to beat: the threshold, or the last one of a full list."""
    if len(found) >= settings.max_boxes:
        return max(settings.score_threshold, float(found.scores.min()))
    return settings.score_threshold


def _run_in_stages(eager: EagerDetector, points: np.ndarray) -> tuple[Pillars, HeadMaps | None, Detections]:
    """Run mmdet3d's prediction once; return what went through it: pillars, head maps, boxes."""
    batch = eager.voxelize(points)
    voxels = {name: value.clone().numpy() for name, value in batch.inputs['voxels'].items()}
    pillars = Pillars(voxels['voxels'], voxels['num_points'], voxels['coors'][:, 1:])
    captured: list[Any] = []
    handle = eager.model.bbox_head.register_forward_hook(lambda module, inputs, maps: captured.append(maps))
    try:
        reference = eager.run(batch)
    finally:
        handle.remove()
    maps = HeadMaps(*(levels[0][0].numpy() for levels in captured[0])) if captured else None
    return pillars, maps, reference
