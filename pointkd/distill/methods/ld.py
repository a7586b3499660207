"""LD: localisation distillation of heads that give box sides as distributions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointkd.core.errors import ConfigError
from pointkd.distill.features import Distributions, Feature
from pointkd.distill.functional import box_regions, confident, localization
from pointkd.distill.functional.checks import positive
from pointkd.distill.functional.precision import widen
from pointkd.distill.ground_truth import box_lists
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.registry import METHODS

REGIONS = ('teacher', 'boxes')


@METHODS.register_module()
class LD(Method):
    """Makes the student as sure or unsure of each side of a box as the teacher; see docs/methods/ld.md.

    For heads with distributions over distances (GFL, YOLOv8); tap the head itself.

    Args:
        tau: temperature; 10 flattens the distributions, so that the teacher's doubts count.
        region: cells that are compared. `'teacher'`: where the teacher sees an object, weighed by its largest class
            probability. `'boxes'`: around the annotated boxes, the main region and the valuable ring (published).
        threshold: of `'teacher'`: cells whose largest class probability is at or below it are left out.
        scale: of `'boxes'`: side of a cell's anchor in strides.
        ring: of `'boxes'`: lower end of the ring as a part of the box's threshold; 1 for no ring.

    Source: LD (2102.12252).
    """

    contract = Contract(features=(Distributions,))
    connects = False

    def __init__(
        self,
        *,
        tau: float = 10.0,
        region: str = 'teacher',
        threshold: float | None = None,
        scale: float | None = None,
        ring: float | None = None,
    ) -> None:
        super().__init__()
        positive(tau, 'tau')
        if region not in REGIONS:
            raise ValueError(f'region: expected one of {", ".join(REGIONS)}, got {region!r}')
        given = dict(threshold=threshold, scale=scale, ring=ring)
        foreign = ('threshold',) if region == 'boxes' else ('scale', 'ring')
        if any(given[name] is not None for name in foreign):
            raise ValueError(f'{" and ".join(foreign)}: not for region={region!r}')
        self.tau, self.region = tau, region
        self.threshold = 0.1 if threshold is None else threshold
        self.scale = 8.0 if scale is None else scale
        self.ring = 0.25 if ring is None else ring
        positive(self.scale, 'scale')
        if not 0 < self.ring <= 1:
            raise ValueError(f'ring: expected a number in (0, 1], got {ring!r}')

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the divergence over the chosen cells, the mean over samples."""
        if not isinstance(student, Distributions) or not isinstance(teacher, Distributions):
            raise ConfigError(f'LD works on box sides as distributions, got {type(student).__name__}')
        ours, theirs = (feature.values.unflatten(2, (4, -1)) for feature in (student, teacher))  # (N, R, 4, B)
        weights = self._weights(teacher, context.data_samples)
        samples = zip(ours, theirs, weights, strict=True)
        parts = [localization(mine, taught, self.tau, mask) for mine, taught, mask in samples]
        loss = torch.stack(parts).mean() if parts else ours.sum()
        scalars = {'cells': torch.stack([(mask > 0).sum() for mask in weights]).float().mean()} if parts else {}
        return Term(loss, scalars, (ours.detach(), theirs.detach()))

    def _weights(self, teacher: Distributions, data_samples: list[Any] | None) -> list[Tensor]:
        """Return how much each cell of each sample counts, (R,) each."""
        if self.region == 'teacher':
            sure = widen(teacher.scores.detach()).sigmoid().amax(2)  # (N, R)
            return [torch.where(confident(row, threshold=self.threshold), row, 0.0) for row in sure]
        weights = []
        for boxes in box_lists(data_samples, teacher.values):
            where = boxes.to(teacher.centres.dtype)
            main, valuable = box_regions(teacher.centres, teacher.strides, where, scale=self.scale, ring=self.ring)
            weights.append((main | valuable).float())
        return weights
