"""PKD: correlation of maps, which scale and offset of a channel do not change."""

from __future__ import annotations

from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import pearson
from pointkd.distill.functional.pearson import STATISTICS
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS

_BATCH = "mean and deviation of a channel run over the whole batch, as published; statistics='sample' keeps it"


@METHODS.register_module()
class PKD(Method):
    """Makes each channel of the student rise and fall where the teacher's does; see docs/methods/pkd.md.

    Args:
        statistics: `'batch'` standardises over batch and positions (published), `'sample'` over the positions of each
            sample, which gives the same loss whatever the batch.

    Source: PKD (2207.02039).
    """

    contract = Contract(features=(Map,), per_sample=_BATCH)

    def __init__(self, *, statistics: str = 'batch') -> None:
        super().__init__()
        if statistics not in STATISTICS:
            raise ValueError(f"statistics: expected 'batch' or 'sample', got {statistics!r}")
        self.statistics = statistics
        if statistics == 'sample':
            self.contract = Contract(features=(Map,))

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return 1 - r over the channels; both maps (N, C, H, W) have the same shape."""
        loss = pearson(student.values, teacher.values, self.statistics)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
