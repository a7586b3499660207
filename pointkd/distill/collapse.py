"""Collapse watch: notices when what a term matches has become trivial, and a falling loss means nothing.

Three signs: the teacher's side loses its spread (a trained teacher projection runs away), the student's side goes to
zero, or few elements carry all the weight (a method's scalar that ends with `effective_share`).
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


class CollapseWatch:
    """Watches one term.

    Args:
        name: of the term.
        interval: iterations between looks.
        settle: looks that make up the reference.
        spread_floor: warn when the teacher's spread falls below this part of the reference.
        norm_floor: warn when the student's size falls below this part of the reference.
        share_floor: warn when the effective share of elements is below this.
    """

    def __init__(
        self,
        name: str,
        *,
        interval: int = 20,
        settle: int = 5,
        spread_floor: float = 0.1,
        norm_floor: float = 0.02,
        share_floor: float = 0.02,
    ) -> None:
        self.name = name
        self.interval = interval
        self.settle = settle
        self.floors = {'teacher_spread': spread_floor, 'student_size': norm_floor}
        self.share_floor = share_floor
        self.looks = 0
        self.reference: dict[str, float] = {}
        self.warned: set[str] = set()

    def look(
        self, iteration: int, matched: tuple[Tensor, Tensor] | None, scalars: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Look at a term and warn once a sign.

        Args:
            iteration: iterations done.
            matched: student and teacher tensors that the loss compared, detached.
            scalars: of the method.

        Returns:
            Scalars for the log: `teacher_spread` and `student_size`; empty between looks.
        """
        if iteration % self.interval:
            return {}
        for key, value in scalars.items():
            if key.endswith('effective_share') and float(value) < self.share_floor:
                self._warn(key, f'{float(value):.2g} of the elements carry all the weight; choose a larger tau')
        if matched is None or matched[0].numel() == 0:
            return {}
        with torch.no_grad():
            sizes = {'teacher_spread': spread(matched[1]), 'student_size': matched[0].float().square().mean().sqrt()}
        self.looks += 1
        for key, value in sizes.items():
            now = float(value)
            if self.looks <= self.settle:
                self.reference[key] = self.reference.get(key, 0.0) + now / self.settle
            elif now < self.floors[key] * self.reference[key]:
                self._warn(key, f'fell from {self.reference[key]:.3g} to {now:.3g}: the loss is small because of that')
        return sizes

    def state(self) -> dict:
        """Return what a resumed run needs."""
        return {'looks': self.looks, 'reference': dict(self.reference), 'warned': sorted(self.warned)}

    def load(self, state: dict) -> None:
        """Restore `state()`."""
        self.looks, self.reference, self.warned = state['looks'], dict(state['reference']), set(state['warned'])

    def _warn(self, sign: str, reason: str) -> None:
        if sign not in self.warned:
            self.warned.add(sign)
            logger.warning('collapse term=%s sign=%s: %s', self.name, sign, reason)


def spread(values: Tensor) -> Tensor:
    """Return the mean over channels of the standard deviation over elements, values (..., C)."""
    rows = values.float().reshape(-1, values.shape[-1])
    return rows.std(dim=0, unbiased=False).mean()
