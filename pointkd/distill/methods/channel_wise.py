"""Channel-wise distillation (CWD) of maps."""

from __future__ import annotations

from torch import Tensor

from pointkd.distill.features import Feature, Map
from pointkd.distill.functional import channel_wise
from pointkd.distill.functional.checks import positive
from pointkd.distill.methods.base import Context, Contract, Method, Term
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class ChannelWise(Method):
    """Makes each channel of the student active where the teacher's is; see docs/methods/channel_wise.md.

    It works on maps only: the distribution runs over the positions of a dense map. Sparse voxels have no common set of
    positions; tap the map behind the scatter (or behind the sparse encoder) instead.

    Args:
        tau: temperature; a larger one flattens the distributions and looks at more than the strongest peaks.

    Source: CWD (2011.13256).
    """

    contract = Contract(features=(Map,))

    def __init__(self, *, tau: float = 1.0) -> None:
        super().__init__()
        positive(tau, 'tau')
        self.tau = tau

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the divergence; both maps (N, C, H, W) have the same shape."""
        loss = channel_wise(student.values, teacher.values, self.tau)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))


def channels_last(feature: Feature) -> Tensor:
    """Return detached values (..., C) of a map or of rows, without a copy."""
    values = feature.values.detach()
    return values.movedim(1, -1) if values.ndim == 4 else values
