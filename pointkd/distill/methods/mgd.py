"""MGD: masked generative distillation."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from torch import nn

from pointkd.core.seeds import derive_seed
from pointkd.distill.features import Feature, Map
from pointkd.distill.functional.generation import generation_error, random_cells
from pointkd.distill.functional.precision import full_precision, widen
from pointkd.distill.methods.base import Context, Contract, Method, Term, Widths
from pointkd.distill.methods.channel_wise import channels_last
from pointkd.distill.registry import METHODS


@METHODS.register_module()
class MGD(Method):
    """Hides cells of the student's map and makes a small generator restore the teacher's; see docs/methods/mgd.md.

    The hidden cells depend on the iteration (and the process) alone, so a resumed run hides the same ones and the
    student's own random numbers stay as they are without this method.

    Args:
        widths: channels of both sides, equal behind the connector.
        hidden: probability λ that a cell is hidden: 0.65 for one-stage detectors, 0.45 for two stages, 0.75 for
            segmentors.
        seed: of the hidden cells.

    Source: MGD (2205.01529).
    """

    contract = Contract(
        features=(Map,),
        zero_when_equal='a trained generator stands between the two sides',
        per_sample='which cells are hidden depends on the place in the batch',
    )

    def __init__(self, *, widths: Widths, hidden: float = 0.65, seed: int = 0) -> None:
        super().__init__()
        random_cells((0, 1, 1), hidden, torch.Generator())  # refuses a bad probability
        self.hidden, self.seed = hidden, seed
        width = widths.teacher
        self.generator = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, student: Feature, teacher: Feature, context: Context) -> Term:
        """Return the error of what the generator makes of the cells that are left; maps (N, C, H, W)."""
        source = torch.Generator().manual_seed(derive_seed(self.seed, context.iteration, get_rank()))
        batch, _, height, width = student.values.shape
        kept = random_cells((batch, height, width), self.hidden, source).to(student.values.device)
        with full_precision(student.values):
            generated = self.generator(widen(student.values) * kept)
        loss = generation_error(generated, teacher.values)
        return Term(loss, matched=(channels_last(student), channels_last(teacher)))
