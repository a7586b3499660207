"""Pair-wise part of structured knowledge distillation (SKD)."""

from __future__ import annotations

from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import pair_wise
from pointkd.distill.functional.pair_wise import check_pool
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class PairWise(Method):
    """Makes each pair of places as alike in the student as in the teacher; see docs/methods/pair_wise.md.

    Args:
        pool: max-pooling before the comparison: a whole number of cells, or below 1 the window's part of each side
            of the map; None for none.

    Source: Structured knowledge distillation (1903.04197), pair-wise part.
    """

    contract = Contract(features=(Map,))
    connects = False  # pairs have no channels

    def __init__(self, *, pool: float | None = 0.5) -> None:
        super().__init__()
        check_pool(pool)
        self.pool = pool

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the mean squared difference of cosines; maps (N, C, H, W) of any widths."""
        loss = pair_wise(student.values, teacher.values, self.pool)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
